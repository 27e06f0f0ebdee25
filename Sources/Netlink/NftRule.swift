import CNetlink
import Glibc
package import Rules
package import SystemCalls

/// A rule of nf_tables that sets marks or translates sources.
package struct NftRule: Sendable, Hashable {
    /// What it does.
    package enum Action: String, Sendable, Hashable, CaseIterable {
        /// Sets the packet's mark.
        case mark
        /// Translates the source to the outgoing interface's address.
        case masquerade
        /// Translates the source to an address.
        case sourceNAT = "snat"
    }

    /// The table's family as nft names it: `ip`, `ip6`, `inet` …
    package let family: String
    /// The table.
    package let table: String
    /// The chain.
    package let chain: String
    /// The number that `nft delete rule … handle` takes.
    package let handle: UInt64
    /// What it does.
    package let action: Action
    /// Whether it was made by `iptables-nft`, with an extension of x_tables in it.
    package let isFromIptables: Bool
    /// Whose packets alone; nil: anybody's, as far as is understood.
    package let source: Prefix?
    /// Where they go alone; nil: anywhere, as far as is understood.
    package let destination: Prefix?

    /// A rule of these parts.
    package init(
        family: String, table: String, chain: String, handle: UInt64, action: Action, isFromIptables: Bool = false,
        source: Prefix? = nil, destination: Prefix? = nil
    ) {
        (self.family, self.table, self.chain) = (family, table, chain)
        (self.handle, self.action, self.isFromIptables) = (handle, action, isFromIptables)
        (self.source, self.destination) = (source, destination)
    }

    /// Reads the rules of the calling thread's network namespace that mark or translate.
    ///
    /// - Throws: with ENOENT or EOPNOTSUPP where the kernel has no nf_tables, with EPERM without CAP_NET_ADMIN.
    package static func read() throws(SystemError) -> [NftRule] {
        let socket = try NetlinkSocket(NETLINK_NETFILTER)
        var head = nfgenmsg()
        head.nfgen_family = UInt8(AF_UNSPEC)
        head.version = UInt8(NFNETLINK_V0)
        let messages = try socket.dump(
            fwmarkd_nft_getrule, withUnsafeBytes(of: &head) { Array($0) }, "reading the rules of nf_tables")
        return messages.flatMap(rules)
    }

    private static func rules(_ message: NetlinkMessage) -> [NftRule] {
        guard let head = message.head(nfgenmsg.self) else { return [] }
        let attributes = message.attributes(after: MemoryLayout<nfgenmsg>.size)
        guard let table = attributes.text(Int(NFTA_RULE_TABLE.rawValue)),
            let chain = attributes.text(Int(NFTA_RULE_CHAIN.rawValue)),
            let expressions = attributes.nested(Int(NFTA_RULE_EXPRESSIONS.rawValue))
        else { return [] }
        let handle = attributes.value(Int(NFTA_RULE_HANDLE.rawValue), as: UInt64.self).map(UInt64.init(bigEndian:))
        var addresses = NftAddresses()
        return expressions.list.compactMap { element in
            let expression = NetlinkAttributes(element.bytes)
            guard let name = expression.text(Int(NFTA_EXPR_NAME.rawValue)) else { return nil }
            let data = expression.nested(Int(NFTA_EXPR_DATA.rawValue))
            addresses.read(name, data)
            guard let action = action(name, data) else { return nil }
            return NftRule(
                family: familyName(head.nfgen_family), table: table, chain: chain, handle: handle ?? 0, action: action,
                isFromIptables: name == "target", source: addresses.source, destination: addresses.destination)
        }
    }

    private static func action(_ name: String, _ data: NetlinkAttributes?) -> Action? {
        switch name {
        case "meta":
            // With a source register it writes.
            guard data?.number(Int(NFTA_META_SREG.rawValue)) != nil,
                data?.networkNumber(Int(NFTA_META_KEY.rawValue)) == UInt32(NFT_META_MARK.rawValue)
            else { return nil }
            return .mark
        case "masq": return .masquerade
        case "nat":
            return data?.networkNumber(Int(NFTA_NAT_TYPE.rawValue)) == UInt32(NFT_NAT_SNAT.rawValue) ? .sourceNAT : nil
        case "target":
            // NFTA_TARGET_NAME is 1 (linux/netfilter/nf_tables_compat.h).
            switch data?.text(1) {
            case "MARK": return .mark
            case "MASQUERADE": return .masquerade
            case "SNAT": return .sourceNAT
            default: return nil
            }
        default: return nil
        }
    }

    private static func familyName(_ number: UInt8) -> String {
        switch Int(number) {
        case NFPROTO_IPV4: "ip"
        case NFPROTO_IPV6: "ip6"
        case NFPROTO_INET: "inet"
        case NFPROTO_ARP: "arp"
        case NFPROTO_BRIDGE: "bridge"
        case NFPROTO_NETDEV: "netdev"
        default: "\(number)"
        }
    }
}
