// SPDX-License-Identifier: GPL-2.0-or-later
/// A chain: one of ours, or of other programs.
package struct Chain: Sendable, Hashable {
    /// Its name.
    package let name: ChainName
    /// What becomes of packets that reach the end of a built-in chain; nil: the chain is not built in.
    package let policy: Verdict?
    /// Its rules, in order.
    package var rules: [Rule]

    /// A chain of these rules; without a policy one that is not built in.
    package init(_ name: ChainName, policy: Verdict? = nil, _ rules: [Rule] = []) {
        (self.name, self.policy, self.rules) = (name, policy, rules)
    }
}

/// What becomes of a packet.
package enum Verdict: String, Sendable, Hashable {
    /// It passes.
    case accept = "ACCEPT"
    /// It is thrown away.
    case drop = "DROP"
}

/// What the kernel's tables should have of ours. A table that is absent should have nothing of ours.
package struct Ruleset: Sendable, Hashable {
    /// Our chains by table. A chain that is one of the table's entry chains is entered by one jump from its hook.
    package var tables: [TableID: [Chain]]

    /// A ruleset of these tables.
    package init(tables: [TableID: [Chain]] = [:]) {
        self.tables = tables
    }

    /// The jump into one of our entry chains: without any match, which is what makes it ours.
    package static func jump(into chain: ChainName) -> Rule { Rule(target: .jump(chain)) }

    /// The jumps that the table should have, each with the hook that it is in.
    package func jumps(_ id: TableID) -> [(hook: Hook, jump: Rule)] {
        let names = Set((tables[id] ?? []).map(\.name))
        return id.table.entries.filter { names.contains($0.chain) }.map { ($0.hook, Ruleset.jump(into: $0.chain)) }
    }

    /// Whether it has a rule that keeps connection tracking registered.
    package var holdsConnectionTracking: Bool { tables.values.contains { $0.contains { $0.name == .hold } } }

    /// How many rules there are, jumps into our entry chains left out.
    package var ruleCount: Int { tables.values.reduce(0) { $0 + $1.reduce(0) { $0 + $1.rules.count } } }
}
