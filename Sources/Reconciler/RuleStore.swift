// SPDX-License-Identifier: GPL-2.0-or-later
package import Netfilter
package import Rules

/// What the reconciler needs of a kernel. `KernelTables` is the real one; tests have one that fails on purpose.
package protocol RuleStore: Sendable {
    /// A table ready to be committed.
    associatedtype Prepared: PreparedCommit

    /// The xtables lock's file, for messages.
    var lockPath: String { get }

    /// Runs `body` while no other program that takes the xtables lock can change a table; nil, and nothing has run, while
    /// another one has the lock.
    func withLockIfFree<Result>(_ body: () -> Result) throws(NetfilterError) -> Result?
    /// The table as it is now; nil if there is no such table yet, which is as good as an empty one.
    func snapshot(_ id: TableID) throws(NetfilterError) -> TableSnapshot?
    /// The table's size; nil if there is no such table yet.
    func size(_ id: TableID) throws(NetfilterError) -> TableSize?
    /// What the kernel lacks for the chains' rules, a sentence for each.
    func missingExtensions(for chains: [Chain], _ family: Family) throws(NetfilterError) -> [String]
    /// Makes the changes in a copy of the table.
    func prepare(_ id: TableID, _ edits: [TableEdit]) throws(NetfilterError) -> Prepared
    /// Does both, at the same time where it can.
    func sideBySide<First: Sendable, Second: Sendable>(
        _ first: () -> First, _ second: @Sendable () -> Second
    ) -> (First, Second)
}

/// A changed copy of a table.
package protocol PreparedCommit: Sendable {
    /// What could not be done to the copy; all else is.
    var leftOut: [LeftOutEdit] { get }
    /// Puts the copy in force. An error does not say whether it is: read the table.
    func commit() throws(NetfilterError)
}

extension KernelTables: RuleStore {}
extension PreparedTable: PreparedCommit {}
