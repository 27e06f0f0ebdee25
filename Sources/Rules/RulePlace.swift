/// Where a rule is.
package struct RulePlace: Sendable, Hashable, Comparable {
    /// The table.
    package let table: TableID
    /// The chain.
    package let chain: ChainName
    /// Its number in the chain, counted from 1 as iptables does.
    package let number: Int

    /// The place of that number.
    package init(_ table: TableID, _ chain: ChainName, _ number: Int) {
        self.table = table
        self.chain = chain
        self.number = number
    }

    /// By table, chain and number.
    package static func < (left: RulePlace, right: RulePlace) -> Bool {
        (left.table, left.chain, left.number) < (right.table, right.chain, right.number)
    }
}
