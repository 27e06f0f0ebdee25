// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A table of nf_tables as packets of one family meet it, in the words of `Rules`.
///
/// A table of nft's family `inet` is two of these, one a family. What cannot be expressed is a condition or a target
/// `other`, so nothing is taken for known that is not.
package struct NftTable: Sendable, Hashable {
    /// The family of the packets.
    package var family: Family
    /// The table as nft names it: `inet firewalld`.
    package var name: String
    /// Its chains in the kernel's order.
    package var chains: [NftChain]

    /// A table of these parts.
    package init(_ family: Family, _ name: String, chains: [NftChain] = []) {
        (self.family, self.name, self.chains) = (family, name, chains)
    }

    /// The base chains of a hook, in the order in which a packet meets them.
    package func baseChains(_ hook: Hook) -> [NftChain] {
        chains.filter { $0.base?.hook == hook }.sorted { ($0.base?.priority ?? 0) < ($1.base?.priority ?? 0) }
    }
}

/// A chain of nf_tables.
package struct NftChain: Sendable, Hashable {
    /// Where a base chain is entered.
    package struct Base: Sendable, Hashable {
        /// The hook.
        package var hook: Hook
        /// Chains with lower numbers come first; x_tables' mangle is at -150, filter at 0.
        package var priority: Int32
        /// `filter`, `nat` or `route`.
        package var type: String
        /// Whether packets that reach its end are dropped.
        package var dropsAtEnd: Bool

        /// A place in a packet's way.
        package init(_ hook: Hook, priority: Int32 = 0, type: String = "filter", dropsAtEnd: Bool = false) {
            (self.hook, self.priority, self.type, self.dropsAtEnd) = (hook, priority, type, dropsAtEnd)
        }
    }

    /// The name by which rules of the same table lead to it. A name of nft over 31 bytes is shortened and numbered.
    package var id: ChainName
    /// Its name in nft.
    package var name: String
    /// Where packets enter it; nil: through other chains alone.
    package var base: Base?
    /// Its rules in order. A rule of nft that does several things is several rules with one handle.
    package var rules: [NftRule]

    /// A chain of these parts.
    package init(_ name: String, id: ChainName? = nil, base: Base? = nil, rules: [NftRule] = []) {
        self.id = id ?? ChainName(bytes: name.utf8)
        (self.name, self.base, self.rules) = (name, base, rules)
    }
}

/// A rule of nf_tables, as far as it can be expressed.
package struct NftRule: Sendable, Hashable {
    /// What it asks and does.
    package var rule: Rule
    /// The number that `nft delete rule … handle` takes.
    package var handle: UInt64
    /// Whether `iptables-nft` made it: it has a match or target of x_tables, or is in a table that only `iptables-nft` makes.
    package var isFromIptables: Bool

    /// A rule of these parts.
    package init(_ rule: Rule, handle: UInt64 = 0, isFromIptables: Bool = false) {
        (self.rule, self.handle, self.isFromIptables) = (rule, handle, isFromIptables)
    }
}
