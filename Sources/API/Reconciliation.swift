// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// The answer to `POST /v1/reload` and `POST /v1/reconcile`: what was found and done.
package struct Reconciliation: Codable, Sendable, Hashable {
    /// The first of the changes in the order in which they were made; at most `changeLimit`.
    package var changes: [ChangeMessage]
    /// How many changes there were in all.
    package var changeCount: Int
    /// What is wrong and fwmarkd cannot repair.
    package var warnings: [String]
    /// How long it took.
    package var milliseconds: Double
    /// SHA-256 of the configuration in force.
    package var sha256: String

    /// How many changes are listed.
    package static let changeLimit = 1000

    /// An answer of these parts.
    package init(
        changes: [ChangeMessage], changeCount: Int, warnings: [String], milliseconds: Double, sha256: String
    ) {
        self.changes = changes
        self.changeCount = changeCount
        self.warnings = warnings
        self.milliseconds = milliseconds
        self.sha256 = sha256
    }
}

/// One difference between a table and what it should be.
package struct ChangeMessage: Codable, Sendable, Hashable {
    /// What is done.
    package var kind: ChangeKind
    /// The table's family.
    package var family: Family
    /// The table.
    package var table: Table
    /// The chain.
    package var chain: String
    /// The difference in iptables syntax after `+` or `-`: one line.
    package var lines: [String]

    /// A change of these parts.
    package init(kind: ChangeKind, family: Family, table: Table, chain: String, lines: [String]) {
        (self.kind, self.family, self.table, self.chain, self.lines) = (kind, family, table, chain, lines)
    }
}

/// The answer to `GET /v1/rules`.
package struct RuleList: Codable, Sendable, Hashable {
    /// Every rule of ours in the kernel, our jumps included.
    package var rules: [RuleMessage]

    /// A list of these rules.
    package init(rules: [RuleMessage]) {
        self.rules = rules
    }
}

/// A rule of ours as it is in the kernel.
package struct RuleMessage: Codable, Sendable, Hashable {
    /// The table's family.
    package var family: Family
    /// The table.
    package var table: Table
    /// The chain.
    package var chain: String
    /// Its number in the chain, counted from 1.
    package var number: Int
    /// The rule as `iptables -S` prints it: `-A fwmarkd-mark -d …`.
    package var rule: String
    /// Packets that matched.
    package var packets: UInt64
    /// Their bytes, IP headers included.
    package var bytes: UInt64

    /// A rule of these parts.
    package init(family: Family, table: Table, chain: String, number: Int, rule: String, packets: UInt64, bytes: UInt64) {
        self.family = family
        self.table = table
        self.chain = chain
        self.number = number
        self.rule = rule
        self.packets = packets
        self.bytes = bytes
    }
}
