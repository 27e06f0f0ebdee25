import CNetlink
import Rules

/// The addresses that a rule of nf_tables compares packets with, read expression by expression: `payload` loads a part of the
/// header, `bitwise` masks it, `cmp` compares it.
struct NftAddresses {
    private(set) var source: Prefix?
    private(set) var destination: Prefix?

    /// What was loaded last, if it is a part of an address.
    private var loaded: (family: Family, isSource: Bool, length: Int)?
    private var mask: [UInt8]?

    /// Takes the next expression in.
    mutating func read(_ name: String, _ data: NetlinkAttributes?) {
        switch name {
        case "payload":
            (loaded, mask) = (data.flatMap(NftAddresses.address), nil)
        case "bitwise":
            guard let bytes = data?.nested(Int(NFTA_BITWISE_MASK.rawValue))?.bytes(Int(NFTA_DATA_VALUE.rawValue)) else {
                loaded = nil
                return
            }
            mask = Array(bytes)
        case "cmp":
            defer { loaded = nil }
            guard let loaded, data?.networkNumber(Int(NFTA_CMP_OP.rawValue)) == UInt32(NFT_CMP_EQ.rawValue),
                let value = data?.nested(Int(NFTA_CMP_DATA.rawValue))?.bytes(Int(NFTA_DATA_VALUE.rawValue)),
                let prefix = prefix(loaded.family, Array(value.prefix(loaded.length)))
            else { return }
            if loaded.isSource { source = prefix } else { destination = prefix }
        default: break
        }
    }

    /// The part of an address that a payload expression loads: from the address's first byte on.
    private static func address(_ data: NetlinkAttributes) -> (family: Family, isSource: Bool, length: Int)? {
        guard data.networkNumber(Int(NFTA_PAYLOAD_BASE.rawValue)) == UInt32(NFT_PAYLOAD_NETWORK_HEADER.rawValue),
            let offset = data.networkNumber(Int(NFTA_PAYLOAD_OFFSET.rawValue)),
            let length = data.networkNumber(Int(NFTA_PAYLOAD_LEN.rawValue))
        else { return nil }
        // Where the addresses lie in the two headers (RFC 791, RFC 8200).
        switch (offset, length) {
        case (12, 1...4): return (.ipv4, true, Int(length))
        case (16, 1...4): return (.ipv4, false, Int(length))
        case (8, 1...16): return (.ipv6, true, Int(length))
        case (24, 1...16): return (.ipv6, false, Int(length))
        default: return nil
        }
    }

    /// The prefix of the compared bytes; nil for a mask with holes.
    private func prefix(_ family: Family, _ value: [UInt8]) -> Prefix? {
        let width = family.bitWidth / 8
        let masked = mask.map { Array($0.prefix(value.count)) } ?? [UInt8](repeating: 0xff, count: value.count)
        func number(_ bytes: [UInt8]) -> UInt128 {
            (bytes + [UInt8](repeating: 0, count: max(0, width - bytes.count))).prefix(width).reduce(0) { $0 << 8 | UInt128($1) }
        }
        let bits = number(masked)
        let prefix = Prefix(containing: Address(family: family, bits: number(value)), length: bits.nonzeroBitCount)
        return prefix.mask == bits ? prefix : nil
    }
}
