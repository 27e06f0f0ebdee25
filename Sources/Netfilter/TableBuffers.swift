// SPDX-License-Identifier: GPL-2.0-or-later
import Rules
import Synchronization

/// Memory that tables were read into and that are no longer looked at, one piece a table. Reading a table of many megabytes into
/// memory that is there already is a third faster than into new memory.
final class TableBuffers: Sendable {
    private let free = Mutex<[TableID: [UInt8]]>([:])

    /// A buffer of that size for the table: an old one, or a new one of zeros.
    ///
    /// The kernel writes names of matches and targets only up to their NUL. What an old buffer of the same size has after them
    /// is most often what the same table left there, zeros; where it is not, comparing takes longer, no more.
    func take(_ size: Int, for id: TableID) -> [UInt8] {
        if let old = free.withLock({ $0.removeValue(forKey: id) }), old.count == size { return old }
        return [UInt8](repeating: 0, count: size)
    }

    func put(_ buffer: [UInt8], for id: TableID) {
        free.withLock { $0[id] = buffer }
    }
}
