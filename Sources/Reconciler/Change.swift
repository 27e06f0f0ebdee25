package import Netfilter
package import Rules

/// One way in which a table differs from what it should be, as a person reads it.
package struct Change: Sendable, Hashable {
    /// What is done, or would have to be done.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The rule is missing and is put in.
        case add
        /// The rule should not be there and is taken out.
        case remove
        /// The rule is there in another place, and is moved with its counters.
        case move
        /// The chain is missing and is made.
        case addChain = "add-chain"
        /// The chain should not be there and is taken away.
        case removeChain = "remove-chain"
    }

    /// In which table.
    package let table: TableID
    /// In which chain.
    package let chain: ChainName
    /// What is done.
    package let kind: Kind
    /// Where the rule stands or is to stand, counted from 1 as iptables does; nil where a chain is meant.
    package let number: Int?
    /// The rules of which it is one: thousands of changes are told at the price of one list.
    private let rules: KernelRules
    private let index: Int

    /// The rule; nil where a chain is meant.
    package var rule: KernelRule.Content? { number == nil ? nil : rules[index].content }

    /// The change of a whole chain.
    package init(_ kind: Kind, _ table: TableID, _ chain: ChainName) {
        self.init(kind, table, chain, [], 0, number: nil)
    }

    /// The change of one rule.
    package init(_ kind: Kind, _ table: TableID, _ chain: ChainName, _ rule: KernelRule.Content, number: Int) {
        self.init(kind, table, chain, [KernelRule(rule)], 0, number: number)
    }

    /// The change of the rule that has the index in `rules`.
    init(_ kind: Kind, _ table: TableID, _ chain: ChainName, _ rules: KernelRules, _ index: Int, number: Int?) {
        self.table = table
        self.chain = chain
        self.kind = kind
        self.number = number
        self.rules = rules
        self.index = index
    }

    /// Whether both say the same.
    package static func == (left: Change, right: Change) -> Bool {
        (left.table, left.chain, left.kind, left.number) == (right.table, right.chain, right.kind, right.number)
            && left.rule == right.rule
    }

    /// The hash of where it is and what it does.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(table)
        hasher.combine(chain)
        hasher.combine(kind)
        hasher.combine(number)
        hasher.combine(rule)
    }

    /// The change in iptables syntax behind `+` or `-`: `+ iptables -t mangle -A FWMARKD-MARK …`. A rule that moves gives
    /// two lines.
    package var lines: [String] { lines(rule: rule?.description) }

    /// The change like `lines`, with the rule in these words.
    package func lines(rule: String?) -> [String] {
        let table = "\(table.family.command) -t \(table.table)"
        let rule = rule.map { " \($0)" } ?? ""
        return switch kind {
        case .add: ["+ \(table) -A \(chain)\(rule)"]
        case .remove: ["- \(table) -A \(chain)\(rule)"]
        case .move: ["- \(table) -A \(chain)\(rule)", "+ \(table) -A \(chain)\(rule)"]
        case .addChain: ["+ \(table) -N \(chain)"]
        case .removeChain: ["- \(table) -N \(chain)"]
        }
    }
}
