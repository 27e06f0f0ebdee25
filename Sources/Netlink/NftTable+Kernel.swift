// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Glibc
import Rules
package import SystemCalls

extension NftTable {
    /// Reads all tables of nf_tables that packets of IPv4 and IPv6 meet in the calling thread's network namespace.
    ///
    /// - Throws: with ENOENT or EOPNOTSUPP where the kernel has no nf_tables, with EPERM without CAP_NET_ADMIN.
    package static func readAll() throws(SystemError) -> [NftTable] {
        let socket = try NetlinkSocket(NETLINK_NETFILTER)
        let chains = try socket.dump(message(NFT_MSG_GETCHAIN), head(), "reading the chains of nf_tables")
        guard !chains.isEmpty else { return [] }
        let rules = try socket.dump(message(NFT_MSG_GETRULE), head(), "reading the rules of nf_tables")
        let sets = try socket.dump(message(NFT_MSG_GETSET), head(), "reading the sets of nf_tables")
        var elements: [TableKey: [String: NftSet]] = [:]
        for set in sets {
            let attributes = set.attributes(after: MemoryLayout<nfgenmsg>.size)
            guard let key = TableKey(set, attributes, NFTA_SET_TABLE), let name = attributes.text(NFTA_SET_NAME) else { continue }
            let body =
                head(key.family) + NetlinkAttributes.encode(Int(NFTA_SET_ELEM_LIST_TABLE.rawValue), Array(key.name.utf8) + [0])
                + NetlinkAttributes.encode(Int(NFTA_SET_ELEM_LIST_SET.rawValue), Array(name.utf8) + [0])
            let flags = attributes.networkNumber(NFTA_SET_FLAGS) ?? 0
            // A set that goes meanwhile, or cannot be listed, is one whose elements are not known.
            guard let found = try? socket.dump(message(NFT_MSG_GETSETELEM), body, "reading the set \(name) of nf_tables") else {
                continue
            }
            elements[key, default: [:]][name] = NftSet(found, isInterval: flags & UInt32(NFT_SET_INTERVAL.rawValue) != 0)
        }
        return tables(chains, rules, elements)
    }

    /// A table as the kernel names it: the number of its family, and a name.
    struct TableKey: Hashable {
        let family: UInt8
        let name: String

        init?(_ message: NetlinkMessage, _ attributes: NetlinkAttributes, _ attribute: some RawRepresentable<UInt32>) {
            guard let head = message.head(nfgenmsg.self), let name = attributes.text(attribute) else { return nil }
            (family, self.name) = (head.nfgen_family, name)
        }

        /// The families whose packets meet the table, each with the table's name in nft.
        var families: [Family] {
            switch Int(family) {
            case NFPROTO_IPV4: [.ipv4]
            case NFPROTO_IPV6: [.ipv6]
            case NFPROTO_INET: [.ipv4, .ipv6]
            default: []
            }
        }

        /// `inet firewalld`.
        var text: String {
            let family = Int(family) == NFPROTO_IPV4 ? "ip" : Int(family) == NFPROTO_IPV6 ? "ip6" : "inet"
            return "\(family) \(name)"
        }
    }

    /// The tables in answers to questions for chains and rules.
    static func tables(
        _ chains: [NetlinkMessage], _ rules: [NetlinkMessage], _ sets: [TableKey: [String: NftSet]]
    ) -> [NftTable] {
        var tables: [NftTable] = []
        var places: [TableKey: [Int]] = [:]
        var names: [TableKey: [String: Int]] = [:]
        for message in chains {
            let attributes = message.attributes(after: MemoryLayout<nfgenmsg>.size)
            guard let key = TableKey(message, attributes, NFTA_CHAIN_TABLE), let name = attributes.text(NFTA_CHAIN_NAME) else {
                continue
            }
            if places[key] == nil {
                places[key] = Array(tables.count..<tables.count + key.families.count)
                tables += key.families.map { NftTable($0, key.text) }
            }
            for place in places[key] ?? [] {
                let number = tables[place].chains.count
                names[key, default: [:]][name] = number
                tables[place].chains.append(NftChain(name, id: id(name, number), base: base(attributes)))
            }
        }
        for message in rules {
            let attributes = message.attributes(after: MemoryLayout<nfgenmsg>.size)
            guard let key = TableKey(message, attributes, NFTA_RULE_TABLE),
                let number = attributes.text(NFTA_RULE_CHAIN).flatMap({ names[key]?[$0] })
            else { continue }
            for place in places[key] ?? [] {
                let known = names[key] ?? [:]
                let decoder = NftRuleDecoder(tables[place].family, sets: sets[key] ?? [:]) { id($0, known[$0] ?? 0) }
                tables[place].chains[number].rules += decode(attributes, decoder)
            }
        }
        return tables
    }

    private static func decode(_ attributes: NetlinkAttributes, _ decoder: NftRuleDecoder) -> [NftRule] {
        var decoder = decoder
        let handle = attributes.value(Int(NFTA_RULE_HANDLE.rawValue), as: UInt64.self).map(UInt64.init(bigEndian:)) ?? 0
        for element in attributes.nested(NFTA_RULE_EXPRESSIONS)?.list ?? [] {
            let expression = NetlinkAttributes(element.bytes)
            guard let name = expression.text(NFTA_EXPR_NAME) else { continue }
            decoder.read(name, expression.nested(NFTA_EXPR_DATA) ?? NetlinkAttributes([]))
        }
        return decoder.rules.map { NftRule($0, handle: handle, isFromIptables: decoder.hasExtensions) }
    }

    private static func base(_ attributes: NetlinkAttributes) -> NftChain.Base? {
        guard let place = attributes.nested(NFTA_CHAIN_HOOK), let number = place.networkNumber(NFTA_HOOK_HOOKNUM),
            number < UInt32(Hook.allCases.count)
        else { return nil }
        return NftChain.Base(
            Hook.allCases[Int(number)], priority: Int32(bitPattern: place.networkNumber(NFTA_HOOK_PRIORITY) ?? 0),
            type: attributes.text(NFTA_CHAIN_TYPE) ?? "", dropsAtEnd: attributes.networkNumber(NFTA_CHAIN_POLICY) == UInt32(NF_DROP)
        )
    }

    /// The name by which a chain is led to: its own, or where that is too long one that no other has.
    private static func id(_ name: String, _ number: Int) -> ChainName {
        name.utf8.count <= 31
            ? ChainName(bytes: name.utf8) : ChainName(bytes: Array(name.utf8.prefix(24)) + Array("~\(number)".utf8))
    }

    private static func message(_ type: nf_tables_msg_types) -> UInt16 {
        UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(truncatingIfNeeded: type.rawValue)
    }

    private static func head(_ family: UInt8 = UInt8(AF_UNSPEC)) -> [UInt8] {
        var head = nfgenmsg()
        head.nfgen_family = family
        head.version = UInt8(NFNETLINK_V0)
        return withUnsafeBytes(of: &head) { Array($0) }
    }
}
