// SPDX-License-Identifier: GPL-2.0-or-later
import Keeper
import Netfilter
import Reconciler
import Rules

/// The keeper of this machine's tables.
typealias KernelKeeper = Keeper<KeeperTables, ThreadClock>

/// The kernel's tables as the keeper uses them, its uses of the xtables lock counted.
struct KeeperTables: RuleStore {
    let tables: KernelTables
    let lockUses: LockUses

    var lockPath: String { tables.lockPath }

    func withLockIfFree<Result>(_ body: () -> Result) throws(NetfilterError) -> Result? {
        defer { lockUses.add() }
        return try tables.withLockIfFree(body)
    }

    func snapshot(_ id: TableID) throws(NetfilterError) -> TableSnapshot? { try tables.snapshot(id) }
    func size(_ id: TableID) throws(NetfilterError) -> TableSize? { try tables.size(id) }
    func missingExtensions(for chains: [Chain], _ family: Family) throws(NetfilterError) -> [String] {
        try tables.missingExtensions(for: chains, family)
    }
    func prepare(_ id: TableID, _ edits: [TableEdit]) throws(NetfilterError) -> PreparedTable { try tables.prepare(id, edits) }
    func sideBySide<First: Sendable, Second: Sendable>(
        _ first: () -> First, _ second: @Sendable () -> Second
    ) -> (First, Second) { tables.sideBySide(first, second) }
}
