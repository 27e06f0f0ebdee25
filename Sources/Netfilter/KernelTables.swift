// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Glibc
package import Rules
import Synchronization
import SystemCalls

/// The kernel's legacy x_tables in the network namespace of the calling thread.
///
/// Reading (`snapshot`, `size`) may happen anywhere at any time. Writing is for one caller at a time, who holds the xtables
/// lock from the reading that the changes were computed from to the reading that proves them.
package struct KernelTables: Sendable {
    /// The xtables lock's file.
    package let lockPath: String
    private let buffers = TableBuffers()

    /// The tables, with this lock.
    package init(lockPath: String = XtablesLock.defaultPath) {
        self.lockPath = lockPath
    }

    /// Runs `body` while holding the xtables lock; nil, and nothing has run, while another program holds it.
    ///
    /// - Throws: `lockUnavailable`; `body` has not run then.
    package func withLockIfFree<Result>(_ body: () -> Result) throws(NetfilterError) -> Result? {
        guard let lock = try XtablesLock(ifFreeAt: lockPath) else { return nil }
        let result = body()
        _ = consume lock
        return result
    }

    /// Whether the table exists in this namespace; an absent table is an empty one. Nothing is created by asking.
    ///
    /// A kernel without the family's tables, or without the family, has none. Only the superuser's group may read the list;
    /// a program that may not is told that the table exists, and asking for its contents gives the answer: the kernel's
    /// refusal, or, to one with the capabilities alone, the table, made in that moment if there was none.
    package func exists(_ id: TableID) throws(NetfilterError) -> Bool {
        // The thread's own entry: /proc/net shows the namespace of the process's first thread.
        let path = "/proc/thread-self/net/\(id.family == .ipv4 ? "ip_tables_names" : "ip6_tables_names")"
        let names: [UInt8]
        do throws(SystemError) {
            // The file lists five names of at most 31 bytes at most.
            names = try Descriptor(opening: path, O_RDONLY).read(upTo: 4096, path)
        } catch {
            switch error.errno {
            case ENOENT: return false
            case EACCES: return true
            default: throw NetfilterError(errno: error.errno ?? 0, error.doing)
            }
        }
        return names.split(separator: UInt8(ascii: "\n")).contains { $0.elementsEqual(id.table.rawValue.utf8) }
    }

    /// The table's size; nil if the namespace has no such table yet.
    package func size(_ id: TableID) throws(NetfilterError) -> TableSize? {
        guard try exists(id) else { return nil }
        let info = try TableSocket(id.family).info(id.table)
        return TableSize(entries: info.num_entries, bytes: info.size)
    }

    /// The table as it is now; nil if the namespace has no such table yet.
    package func snapshot(_ id: TableID) throws(NetfilterError) -> TableSnapshot? {
        guard try exists(id) else { return nil }
        return TableSnapshot(try TableSocket(id.family).image(id.table, buffers))
    }

    /// Asks whether the kernel has the family's legacy x_tables at all. No table is made by asking.
    ///
    /// - Throws: `notSupported` if it has not, `notPermitted` where asking needs more rights.
    package func checkSupport(_ family: Family) throws(NetfilterError) { try TableSocket(family).checkSupport() }

    /// What the kernel lacks for the chains' rules: a sentence for each missing match or target, or revision of one.
    package func missingExtensions(for chains: [Chain], _ family: Family) throws(NetfilterError) -> [String] {
        var needed: Extensions = []
        for chain in chains { needed.formUnion(Extensions(of: chain.rules)) }
        guard !needed.isEmpty else { return [] }
        let socket = try TableSocket(family)
        return needed.list(family).compactMap { socket.missing($0) }
    }

    /// Which of these tables the kernel lacks: a sentence for each.
    ///
    /// Asking for a table makes it where there is none yet, so this asks in a network namespace of its own, which ends with
    /// the question.
    ///
    /// - Throws: `notPermitted` where making a namespace needs more rights.
    package func missingTables(of ids: [TableID]) throws(NetfilterError) -> [String] {
        let caller = pthread_self()
        let (_, answer) = sideBySide({}) { () -> Result<[String], NetfilterError> in
            // Without a second thread this one would move.
            guard pthread_equal(caller, pthread_self()) == 0 else {
                return .failure(NetfilterError(errno: EAGAIN, "making a thread"))
            }
            guard unshare(fwmarkd_clone_newnet) == 0 else { return .failure(.last("making a network namespace")) }
            return .success(
                ids.compactMap { id in
                    do throws(NetfilterError) {
                        _ = try TableSocket(id.family).info(id.table)
                        return nil
                    } catch {
                        return error.message
                    }
                })
        }
        return try answer.get()
    }

    /// Does both at once. The kernel works on one table of a family at a time; making a table and looking at it overlap.
    package func sideBySide<First: Sendable, Second: Sendable>(
        _ first: () -> First, _ second: @Sendable () -> Second
    ) -> (First, Second) {
        SystemCalls.sideBySide(first, second)
    }

    /// Makes the changes in libiptc's copy of the table, ready to be committed.
    package func prepare(_ id: TableID, _ edits: [TableEdit]) throws(NetfilterError) -> PreparedTable {
        let handle = try TableHandle(id)
        let leftOut = try handle.apply(edits)
        return PreparedTable(handle, leftOut: leftOut)
    }
}

/// A changed table that waits for its commit. Dropping it changes nothing.
package final class PreparedTable: Sendable {
    private let handle: Mutex<TableHandle?>
    /// What could not be done, with the reason; all else is prepared.
    package let leftOut: [LeftOutEdit]

    init(_ handle: consuming sending TableHandle, leftOut: [LeftOutEdit]) {
        self.handle = Mutex(consume handle)
        self.leftOut = leftOut
    }

    /// Writes the table into the kernel; once.
    ///
    /// - Throws: what the kernel answered, which does not say whether the rules are in force: read the table.
    package func commit() throws(NetfilterError) {
        guard let handle = handle.withLock({ $0.take() }) else {
            throw NetfilterError(.other, "a prepared table was committed twice")
        }
        try handle.commit()
    }
}
