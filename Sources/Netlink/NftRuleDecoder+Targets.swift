// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Rules

/// What a rule does.
extension NftRuleDecoder {
    /// Reads an expression that acts.
    mutating func act(_ name: String, _ data: NetlinkAttributes) {
        switch name {
        case "meta" where data.networkNumber(NFTA_META_KEY) == UInt32(NFT_META_MARK.rawValue):
            emit(markTarget(register(data.networkNumber(NFTA_META_SREG))))
        case "ct" where data.networkNumber(NFTA_CT_KEY) == UInt32(NFT_CT_MARK.rawValue):
            emit(connectionMarkTarget(register(data.networkNumber(NFTA_CT_SREG))))
        case "meta", "ct": break
        case "masq": emit(.masquerade(TranslationOptions()))
        case "nat" where data.networkNumber(NFTA_NAT_TYPE) == UInt32(NFT_NAT_SNAT.rawValue):
            guard case .constant(let first) = register(data.networkNumber(NFTA_NAT_REG_ADDR_MIN)),
                let address = Address(first[...], family)
            else { return emit(.other(ExtensionBytes(name: "SNAT", revision: 0, bytes: []))) }
            var last = address
            if case .constant(let bytes) = register(data.networkNumber(NFTA_NAT_REG_ADDR_MAX)),
                let end = Address(bytes[...], family)
            {
                last = end
            }
            emit(.sourceNAT(SourceRange(address, max(address, last))))
        case "nat": emit(destinationNAT(data))
        case "redir": emit(.other(ExtensionBytes(name: "REDIRECT", revision: 0, bytes: [])))
        case "reject": emit(.other(ExtensionBytes(name: "REJECT", revision: 0, bytes: [])))
        case "queue": emit(.queue)
        default: emit(.other(ExtensionBytes(name: "nft \(name)", revision: 0, bytes: [])))
        }
    }

    private func destinationNAT(_ data: NetlinkAttributes) -> Target {
        func value(_ attribute: UInt32?) -> [UInt8]? {
            guard case .constant(let bytes) = register(attribute) else { return nil }
            return bytes
        }
        let first = data.networkNumber(NFTA_NAT_REG_ADDR_MIN), last = data.networkNumber(NFTA_NAT_REG_ADDR_MAX)
        let lower = data.networkNumber(NFTA_NAT_REG_PROTO_MIN), upper = data.networkNumber(NFTA_NAT_REG_PROTO_MAX)
        let addresses = [first, last].map { $0.flatMap { value($0) }.flatMap { Address($0[...], family) } }
        let ports = [lower, upper].map {
            $0.flatMap { value($0) }.flatMap { $0.count >= 2 ? UInt16($0[0]) << 8 | UInt16($0[1]) : nil }
        }
        // What is looked up in a map is not known.
        guard (first == nil) == (addresses[0] == nil), (lower == nil) == (ports[0] == nil) else {
            return .other(ExtensionBytes(name: "DNAT", revision: 0, bytes: []))
        }
        let range = ports[0].map { PortRange($0, max($0, ports[1] ?? $0)) }
        return .destinationNAT(DestinationRange(addresses[0], addresses[1], options: TranslationOptions(ports: range)))
    }

    private func markTarget(_ register: Register) -> Target {
        switch register {
        case .constant(let bytes):
            if let value = NetlinkMessage.load(UInt32.self, bytes[...], at: 0) {
                return .mark(MarkOperation(value: value, mask: .max))
            }
        case .field(.mark, let mask, let xor):
            let kept = mask.flatMap { NetlinkMessage.load(UInt32.self, $0[...], at: 0) } ?? .max
            let value = xor.flatMap { NetlinkMessage.load(UInt32.self, $0[...], at: 0) } ?? 0
            return .mark(MarkOperation(value: value, mask: ~kept))
        case .field(.connectionMark, let mask, nil):
            let kept = mask.flatMap { NetlinkMessage.load(UInt32.self, $0[...], at: 0) } ?? .max
            return .connectionMark(.restore(connectionMask: kept, packetMask: .max))
        default: break
        }
        return .other(ExtensionBytes(name: "MARK", revision: 255, bytes: []))
    }

    private func connectionMarkTarget(_ register: Register) -> Target {
        switch register {
        case .constant(let bytes):
            if let value = NetlinkMessage.load(UInt32.self, bytes[...], at: 0) {
                return .connectionMark(.set(value: value, mask: .max))
            }
        case .field(.mark, let mask, nil):
            let kept = mask.flatMap { NetlinkMessage.load(UInt32.self, $0[...], at: 0) } ?? .max
            return .connectionMark(.save(connectionMask: .max, packetMask: kept))
        default: break
        }
        return .other(ExtensionBytes(name: "CONNMARK", revision: 255, bytes: []))
    }
}
