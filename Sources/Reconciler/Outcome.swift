// SPDX-License-Identifier: GPL-2.0-or-later
package import Netfilter
package import Rules

/// What a reconciliation found and did.
package struct Outcome: Sendable, Hashable {
    /// What differed, in the order of tables; empty if nothing did.
    package var changes = Changes()
    /// What cannot be repaired, and what the kernel said to commits that are in force all the same.
    package var warnings: [String] = []
    /// How often it was tried: 1 if at once.
    package var attempts = 1
    /// How long it waited for the xtables lock, all attempts together.
    package var lockWait = Duration.zero
    /// The tables as they are at the end, as far as they exist.
    package var tables: [TableID: TableSnapshot] = [:]

    /// Nothing found, nothing done.
    package init() {}
}
