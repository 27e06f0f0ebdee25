// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import NIOCore
import Synchronization
import SystemCalls

/// The two watches of inotify(7): on the lock's file and on its directory. One descriptor, opened once and kept.
final class LockFileWatches: Sendable {
    private let path: String
    private let name: [UInt8]
    private let inotify: CInt
    /// The keeper's own uses of the lock.
    private let uses: LockUses
    /// The file's watch, and the directory's; -1: none.
    private let watches = Mutex<(file: CInt, directory: CInt)>((-1, -1))

    init(_ path: String, _ uses: LockUses) throws(SystemError) {
        self.path = path
        self.uses = uses
        name = path.split(separator: "/").last.map { Array($0.utf8) } ?? []
        inotify = try systemCall("watching \(path)") { inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK)) }
    }

    deinit { close(inotify) }

    /// Another descriptor of the same events, which the caller closes.
    func duplicate() throws(SystemError) -> CInt {
        try systemCall("watching \(path)") { fcntl(inotify, F_DUPFD_CLOEXEC, 0) }
    }

    /// Makes sure that the file that is at the path now is watched.
    ///
    /// - Returns: whether that is another one than before, which was not watched until now.
    func renew() -> Bool {
        // As iptables makes it: in a fresh system the lock has not been taken yet.
        if FileIdentity(path) == nil {
            let file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0o600)
            if file >= 0 { close(file) }
        }
        let isNew = watches.withLock { watches in
            let directory = inotify_add_watch(
                inotify, Directory.parent(of: path),
                UInt32(IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR))
            let before = watches
            watches = (
                inotify_add_watch(
                    inotify, path,
                    UInt32(IN_OPEN | IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB)), directory
            )
            if before.file >= 0, before.file != watches.file { inotify_rm_watch(inotify, before.file) }
            return watches.file >= 0 && watches.file != before.file
        }
        if isNew { uses.forget() }
        return isNew
    }

    /// What the events say.
    struct Events {
        /// Whether another program has used the lock.
        var isUsed = false
        /// Whether the keeper has.
        var isUsedByKeeper = false
        /// Whether another file may be at the path.
        var isChanged = false
    }

    /// What the `struct inotify_event`s say.
    func read(_ bytes: ByteBuffer) -> Events {
        var bytes = bytes
        var events = Events()
        let watches = watches.withLock { $0 }
        while let (watch, mask, _, length) = bytes.readMultipleIntegers(
            endianness: .host, as: (Int32, UInt32, UInt32, UInt32).self)
        {
            let name = bytes.readSlice(length: min(Int(length), bytes.readableBytes)).map {
                $0.readableBytesView.prefix { $0 != 0 }
            }
            if mask & UInt32(IN_Q_OVERFLOW) != 0 {
                uses.forget()
                (events.isUsed, events.isChanged) = (true, true)
            }
            if watch == watches.directory {
                if mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED) != 0 { events.isChanged = true }
                if let name, name.elementsEqual(self.name) { events.isChanged = true }
            } else if watch == watches.file {
                note(mask, &events)
            }
        }
        return events
    }

    /// What an event of the lock's file says.
    private func note(_ mask: UInt32, _ events: inout Events) {
        for kind in [UInt32(IN_OPEN), UInt32(IN_CLOSE_WRITE | IN_CLOSE_NOWRITE)] where mask & kind != 0 {
            if uses.take(opened: kind == UInt32(IN_OPEN)) { events.isUsedByKeeper = true } else { events.isUsed = true }
        }
        if mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_IGNORED) != 0 { events.isChanged = true }
    }
}
