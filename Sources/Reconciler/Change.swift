// SPDX-License-Identifier: GPL-2.0-or-later
package import Netfilter
package import Rules

/// One way in which a table differs from what it should be, as a person reads it and could type it.
///
/// Changes are in an order in which they can be made one after the other; a rule that moves is taken out and added. Our own edits
/// differ from them in that a rule that moves keeps its counters.
package struct Change: Sendable, Hashable {
    /// In which table.
    package let table: TableID
    /// In which chain.
    package let chain: ChainName
    /// What is done.
    package let kind: ChangeKind
    /// The number that the rule has, or gets, once the changes before this one are made, counted from 1 as iptables does; nil where a
    /// chain is meant.
    package let number: Int?
    /// The rules of which it is one: thousands of changes cost one list.
    private let rules: KernelRules
    private let index: Int

    /// The rule; nil where a chain is meant.
    package var rule: KernelRule.Content? { number == nil ? nil : rules[index].content }

    /// The change of a whole chain.
    package init(_ kind: ChangeKind, _ table: TableID, _ chain: ChainName) {
        self.init(kind, table, chain, [], 0, number: nil)
    }

    /// The change of one rule.
    package init(_ kind: ChangeKind, _ table: TableID, _ chain: ChainName, _ rule: KernelRule.Content, number: Int) {
        self.init(kind, table, chain, [KernelRule(rule)], 0, number: number)
    }

    /// The change of the rule that has the index in `rules`.
    init(_ kind: ChangeKind, _ table: TableID, _ chain: ChainName, _ rules: KernelRules, _ index: Int, number: Int?) {
        (self.table, self.chain, self.kind, self.number, self.rules, self.index) = (table, chain, kind, number, rules, index)
    }

    /// How many rules there are from this one to the end of its list.
    var ruleCount: Int { rules.count - index }

    /// The same change of the rule `distance` after this one, where each has a number that is `step` higher.
    func followed(by distance: Int, step: Int) -> Change {
        Change(kind, table, chain, rules, index + distance, number: number.map { $0 + step * distance })
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
}

extension Change {
    /// The change as a command for a shell, after `+` or `-`: `+ iptables-legacy -t mangle -I fwmarkd-mark 2 …`. A rule that is
    /// taken out is named by its number and shown in a comment.
    package var line: String { line(rule: rule?.description) }

    /// The same with the rule in these words where it is taken out.
    package func line(rule words: String?) -> String {
        let start = "\(table.family.command)-legacy -t \(table.table)"
        let name = ChainName.shellWord(chain.bytes)
        switch kind {
        case .add: return "+ \(start) -I \(name) \(number ?? 1) \(rule?.rule.shellSyntax ?? "")"
        case .remove: return "- \(start) -D \(name) \(number ?? 1)  # \(printable(words ?? ""))"
        case .addChain: return "+ \(start) -N \(name)"
        case .removeChain: return "- \(start) -X \(name)"
        }
    }
}
