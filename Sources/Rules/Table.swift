// SPDX-License-Identifier: GPL-2.0-or-later
/// A table of x_tables.
package enum Table: String, Sendable, Hashable, CaseIterable, Codable {
    /// Before connection tracking; where helpers are assigned.
    case raw
    /// Translations.
    case nat
    /// Marks.
    case mangle
    /// Verdicts. Nothing of ours is ever here; the doctor and the judge read it.
    case filter
    /// Mandatory access control. Nothing of ours is ever here.
    case security

    /// The tables that rules of ours can be in, in the order in which they are committed: helpers and translations are in
    /// force before the first packet is marked.
    package static let ours: [Table] = [.raw, .nat, .mangle]

    /// The hooks from which chains of ours are entered, each with its entry chain.
    package var entries: [(hook: Hook, chain: ChainName)] {
        switch self {
        case .raw: [(.prerouting, .helper)]
        case .nat: [(.postrouting, .nat)]
        case .mangle: [(.prerouting, .mark), (.input, .markIn), (.output, .markOut)]
        case .filter, .security: []
        }
    }

    /// The entry chains of all tables.
    package static let entryChains: [ChainName] = Table.allCases.flatMap { $0.entries.map(\.chain) }

    /// The hooks that the table has, in the kernel's order.
    package var hooks: [Hook] {
        switch self {
        case .raw: [.prerouting, .output]
        case .nat: [.prerouting, .input, .output, .postrouting]
        case .mangle: Hook.allCases
        case .filter, .security: [.input, .forward, .output]
        }
    }
}

extension Table: Comparable {
    /// In the order in which they are committed.
    package static func < (left: Table, right: Table) -> Bool { left.number < right.number }

    private var number: Int {
        switch self {
        case .raw: 0
        case .nat: 1
        case .mangle: 2
        case .filter: 3
        case .security: 4
        }
    }
}

/// A table of one family.
package struct TableID: Sendable, Hashable, Comparable {
    /// Which table.
    package let table: Table
    /// Of which family.
    package let family: Family

    /// The family's table.
    package init(_ family: Family, _ table: Table) {
        (self.family, self.table) = (family, table)
    }

    /// The tables that rules of ours can be in, in the order in which they are committed.
    package static let ours: [TableID] = Table.ours.flatMap { table in Family.allCases.map { TableID($0, table) } }

    /// In the order in which they are committed.
    package static func < (left: TableID, right: TableID) -> Bool {
        (left.table, left.family) < (right.table, right.family)
    }
}

extension TableID: CustomStringConvertible {
    /// `ipv4 mangle`.
    package var description: String { "\(family) \(table)" }
}
