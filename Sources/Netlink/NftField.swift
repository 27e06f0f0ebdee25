// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Rules

/// A part of a packet that an expression of nf_tables loads into a register.
enum NftField: Hashable {
    case address(AddressSide, bytes: Int)
    case transport
    case family
    case etherType
    case interface(isIn: Bool)
    case mark
    case connectionMark
    case connectionState
    case connectionStatus
    case port(PortMatch.Side)
    case addressType(AddressSide)

    /// What a `payload`, `meta`, `ct` or `fib` expression loads, for packets of the family; nil: something else.
    init?(_ expression: String, _ data: NetlinkAttributes, _ family: Family) {
        switch expression {
        case "payload": self.init(payload: data, family)
        case "meta": self.init(meta: data.networkNumber(NFTA_META_KEY))
        case "ct":
            switch data.networkNumber(NFTA_CT_KEY) {
            case UInt32(NFT_CT_MARK.rawValue): self = .connectionMark
            case UInt32(NFT_CT_STATE.rawValue): self = .connectionState
            case UInt32(NFT_CT_STATUS.rawValue): self = .connectionStatus
            default: return nil
            }
        case "fib":
            guard data.networkNumber(NFTA_FIB_RESULT) == UInt32(NFT_FIB_RESULT_ADDRTYPE.rawValue) else { return nil }
            switch data.networkNumber(NFTA_FIB_FLAGS) {
            case UInt32(NFTA_FIB_F_SADDR.rawValue): self = .addressType(.source)
            case UInt32(NFTA_FIB_F_DADDR.rawValue): self = .addressType(.destination)
            default: return nil
            }
        default: return nil
        }
    }

    private init?(payload data: NetlinkAttributes, _ family: Family) {
        guard let base = data.networkNumber(NFTA_PAYLOAD_BASE), let offset = data.networkNumber(NFTA_PAYLOAD_OFFSET),
            let length = data.networkNumber(NFTA_PAYLOAD_LEN)
        else { return nil }
        // Where the parts lie in the headers (RFC 791, RFC 8200; RFC 9293, section 3.1, and its like).
        switch (base, family, offset, length) {
        case (UInt32(NFT_PAYLOAD_NETWORK_HEADER.rawValue), .ipv4, 12, 1...4): self = .address(.source, bytes: Int(length))
        case (UInt32(NFT_PAYLOAD_NETWORK_HEADER.rawValue), .ipv4, 16, 1...4): self = .address(.destination, bytes: Int(length))
        case (UInt32(NFT_PAYLOAD_NETWORK_HEADER.rawValue), .ipv6, 8, 1...16): self = .address(.source, bytes: Int(length))
        case (UInt32(NFT_PAYLOAD_NETWORK_HEADER.rawValue), .ipv6, 24, 1...16): self = .address(.destination, bytes: Int(length))
        case (UInt32(NFT_PAYLOAD_NETWORK_HEADER.rawValue), .ipv4, 9, 1), (UInt32(NFT_PAYLOAD_NETWORK_HEADER.rawValue), .ipv6, 6, 1):
            self = .transport
        case (UInt32(NFT_PAYLOAD_TRANSPORT_HEADER.rawValue), _, 0, 2): self = .port(.source)
        case (UInt32(NFT_PAYLOAD_TRANSPORT_HEADER.rawValue), _, 2, 2): self = .port(.destination)
        default: return nil
        }
    }

    private init?(meta key: UInt32?) {
        switch key {
        case UInt32(NFT_META_MARK.rawValue): self = .mark
        case UInt32(NFT_META_L4PROTO.rawValue): self = .transport
        case UInt32(NFT_META_NFPROTO.rawValue): self = .family
        case UInt32(NFT_META_PROTOCOL.rawValue): self = .etherType
        case UInt32(NFT_META_IIFNAME.rawValue): self = .interface(isIn: true)
        case UInt32(NFT_META_OIFNAME.rawValue): self = .interface(isIn: false)
        default: return nil
        }
    }
}
