// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

extension NftTable {
    /// The tables that `iptables-nft` and `ip6tables-nft` made, as if they were tables of x_tables: for those who read, judge or
    /// import rules.
    ///
    /// Only chains that `iptables-nft` can have made are in them. What cannot be expressed is a condition or a target `other`.
    package static func iptables(_ tables: [NftTable]) -> [TableID: [Chain]] {
        var found: [TableID: [Chain]] = [:]
        for table in tables {
            let words = table.name.split(separator: " ")
            guard words.count == 2, words[0] == (table.family == .ipv4 ? "ip" : "ip6"), let name = Table(rawValue: String(words[1]))
            else { continue }
            found[TableID(table.family, name)] = table.chains.map { chain in
                let policy: Verdict? = chain.base.map { $0.dropsAtEnd ? .drop : .accept }
                return Chain(ChainName(bytes: chain.name.utf8), policy: policy, chain.rules.map(\.rule))
            }
        }
        return found
    }
}
