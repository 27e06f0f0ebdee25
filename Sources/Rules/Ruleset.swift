/// A netfilter table that fwmarkd has rules in.
package enum Table: String, Sendable, Hashable, Comparable, CaseIterable, Codable {
    /// Source translation, in POSTROUTING.
    case nat
    /// Firewall marks, in PREROUTING.
    case mangle

    /// The built-in chain that our jump stands in.
    package var hook: ChainName { self == .nat ? .postrouting : .prerouting }

    /// The first of our chains, which the jump leads to.
    package var entryChain: ChainName { self == .nat ? .nat : .mark }

    /// nat before mangle: translations must stand before marked packets can meet them.
    package static func < (left: Table, right: Table) -> Bool { left == .nat && right == .mangle }
}

/// A table of one family: what the kernel replaces in one piece.
package struct TableID: Sendable, Hashable, Comparable, CaseIterable {
    /// The table.
    package let table: Table
    /// Whose packets it sees.
    package let family: Family

    /// The table of the family.
    package init(_ family: Family, _ table: Table) {
        self.family = family
        self.table = table
    }

    /// All four in the order of commits: nat before mangle, IPv4 before IPv6. Removal takes the reverse.
    package static let allCases: [TableID] = Table.allCases.flatMap { table in
        Family.allCases.map { TableID($0, table) }
    }

    /// In the order of commits.
    package static func < (left: TableID, right: TableID) -> Bool {
        (left.table, left.family) < (right.table, right.family)
    }
}

extension TableID: CustomStringConvertible {
    /// As a person names it: `ipv4 mangle`.
    package var description: String { "\(family) \(table)" }
}

/// A chain of rules.
package struct Chain: Sendable, Hashable {
    /// Its name.
    package let name: ChainName
    /// Its rules, in order.
    package var rules: [Rule]

    /// The chain of these rules.
    package init(_ name: ChainName, _ rules: [Rule] = []) {
        self.name = name
        self.rules = rules
    }
}

/// What fwmarkd wants in the kernel: for each table its own chains. A table without an entry has nothing of ours in it.
package struct Ruleset: Sendable, Hashable {
    /// Our chains by table. The first is `Table.entryChain`; a table that needs no rules is absent.
    package var tables: [TableID: [Chain]]

    /// A ruleset of these tables.
    package init(tables: [TableID: [Chain]] = [:]) {
        self.tables = tables
    }

    /// What tags a jump of ours in a chain that is not.
    package static let jumpComment = "fwmarkd"

    /// The jump that leads from the table's hook into its entry chain, tagged for people who meet it in a chain of theirs.
    package static func jump(into table: Table) -> Rule {
        Rule(comment: jumpComment, target: .jump(table.entryChain))
    }

    /// How many rules there are, the jumps not counted.
    package var ruleCount: Int { tables.values.reduce(0) { $0 + $1.reduce(0) { $0 + $1.rules.count } } }
}
