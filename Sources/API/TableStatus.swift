// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A table that rules of ours are wanted or found in.
package struct TableStatus: Codable, Sendable, Hashable {
    /// The table's family.
    package var family: Family
    /// The table.
    package var table: Table
    /// How many chains of ours it has.
    package var chains: Int
    /// How many rules are in them.
    package var rules: Int
    /// How many rules it has that are not ours, our jump left out.
    package var foreignRules: Int

    /// A status of these parts.
    package init(family: Family, table: Table, chains: Int, rules: Int, foreignRules: Int) {
        (self.family, self.table, self.chains, self.rules, self.foreignRules) = (family, table, chains, rules, foreignRules)
    }
}
