public import Netfilter
public import Rules

/// One way in which a table differs from what it should be, as a person reads it.
public struct Change: Sendable, Hashable {
    /// What is done, or would have to be done.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
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
    public let table: TableID
    /// In which chain.
    public let chain: ChainName
    /// What is done.
    public let kind: Kind
    /// The rule; nil where a chain is meant.
    public let rule: KernelRule.Content?
    /// Where the rule stands or is to stand, counted from 1 as iptables does; nil where a chain is meant.
    public let number: Int?

    /// A change of these parts.
    public init(_ kind: Kind, _ table: TableID, _ chain: ChainName, _ rule: KernelRule.Content? = nil, number: Int? = nil) {
        self.table = table
        self.chain = chain
        self.kind = kind
        self.rule = rule
        self.number = number
    }

    /// The change in iptables syntax behind `+` or `-`: `+ iptables -t mangle -A FWMARKD-MARK …`. A rule that moves gives
    /// two lines.
    public var lines: [String] { lines(rule: rule?.description) }

    /// The change like `lines`, with the rule in these words.
    public func lines(rule: String?) -> [String] {
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
