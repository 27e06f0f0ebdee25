// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Reconciler
import Rules
import XTables

/// What differs or was changed, for people: a coloured line for each `+` and `-`, and the sum of it.
struct ChangeReport {
    /// The changes, or the first of them.
    var changes: [ChangeMessage]
    /// How many there are in all.
    var count: Int
    /// Whether they were made.
    var isApplied: Bool

    /// A report of these changes.
    init(changes: [ChangeMessage], count: Int, isApplied: Bool) {
        (self.changes, self.count, self.isApplied) = (changes, count, isApplied)
    }

    /// The report of what was made, or what is to be made.
    init(_ reconciliation: Reconciliation, isApplied: Bool) {
        changes = reconciliation.changes
        count = reconciliation.changeCount
        self.isApplied = isApplied
    }

    /// The changes, a line each.
    func lines(_ style: Style) -> [String] {
        changes.flatMap(\.lines).map { line in
            switch line.first {
            case "+": style.green(line)
            case "-": style.red(line)
            default: line
            }
        }
    }

    /// `3 changes: 1 chain and 2 rules added`, without a full stop.
    var summary: String {
        var text = counted(count, "change")
        guard changes.count == count else {
            return text + (isApplied ? " made" : " to make") + ", of which the first \(changes.count) are shown"
        }
        let verbs: [(kind: ChangeKind, noun: String, done: String, toDo: String)] = [
            (.addChain, "chain", "added", "to add"), (.add, "rule", "added", "to add"),
            (.remove, "rule", "removed", "to remove"),
            (.removeChain, "chain", "removed", "to remove"),
        ]
        let counts = changes.reduce(into: [ChangeKind: Int]()) { $0[$1.kind, default: 0] += 1 }
        let parts = verbs.compactMap { verb in
            counts[verb.kind].map { "\(counted($0, verb.noun)) \(isApplied ? verb.done : verb.toDo)" }
        }
        if !parts.isEmpty { text += ": " + parts.joined(separator: ", ") }
        return text
    }
}

extension ChangeMessage {
    /// The changes as the messages tell them, with other programs' rules in full.
    static func all(_ changes: some Collection<Change>) -> [ChangeMessage] {
        // What is added is ours, and shown as it is typed.
        let removed = changes.filter { $0.kind == .remove }
        let rules = removed.compactMap { change in change.rule.map { (rule: $0, family: change.table.family) } }
        var texts = RulePrinter.text(of: rules)[...]
        return changes.map { change in
            ChangeMessage(
                kind: change.kind, family: change.table.family, table: change.table.table,
                chain: change.chain.text, lines: [change.line(rule: change.kind == .remove ? texts.popFirst() : nil)])
        }
    }
}
