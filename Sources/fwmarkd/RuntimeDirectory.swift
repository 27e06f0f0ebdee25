// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Glibc
import Synchronization
import SystemCalls

/// The directory of the sockets, owned by one daemon at a time.
final class RuntimeDirectory: Sendable {
    /// Why the directory cannot be used.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    private let path: String
    /// The lock's descriptor, and which file it is. Held locked as long as the daemon lives; a lock, unlike a file's existence, ends
    /// with the process.
    private let lock: Mutex<Lock>
    private let hasEnded = Happened()

    private struct Lock {
        var descriptor: CInt
        var file: FileIdentity
    }

    /// Takes the directory, and makes it if there is none.
    ///
    /// - Throws: when another daemon has it, it is another user's, or it cannot be written to.
    init(_ path: String) throws(Refusal) {
        self.path = path
        lock = Mutex(try RuntimeDirectory.take(path))
        // The lock is ours, so whatever sockets are there are left over.
        removeSockets()
    }

    deinit { lock.withLock { _ = close($0.descriptor) } }

    /// The socket's path.
    func socket(_ name: String) -> String { path + "/" + name }

    /// Makes sure that the directory is still the one that was taken; takes it again if it was deleted or replaced.
    ///
    /// - Throws: when that cannot be done.
    func renew() throws(Refusal) {
        if isHeld { return }
        let taken = try RuntimeDirectory.take(path)
        lock.withLock { lock in
            close(lock.descriptor)
            lock = taken
        }
    }

    /// Whether the directory is the one that was taken.
    private var isHeld: Bool { FileIdentity(path + "/lock") == lock.withLock { $0.file } }

    /// Whether the directory, or the socket in it, is no longer the one that was made. What the daemon's end took away is not lost.
    func hasLost(_ socket: String, _ identity: FileIdentity?) -> Bool {
        if hasEnded.isRaised { return false }
        return identity == nil || FileIdentity(self.socket(socket)) != identity || !isHeld
    }

    /// Called when the daemon ends: takes the sockets away for good.
    func end() {
        hasEnded.raise()
        removeSockets()
    }

    /// Takes the sockets away.
    func removeSockets() {
        for socket in [Endpoint.statusSocket, Endpoint.controlSocket] { unlink(self.socket(socket)) }
    }

    private static func take(_ path: String) throws(Refusal) -> Lock {
        do throws(SystemError) {
            if let holder = otherUsersHolder(of: path) { throw taken(path, by: holder) }
            let directory = try Directory.own(path, mode: 0o755)
            let lock = try Directory.ownFile("lock", in: directory)
            guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
                throw taken(path, by: holder(lock))
            }
            // For people; the lock itself is what counts.
            ftruncate(lock.number, 0)
            try? lock.write(Array("\(getpid())\n".utf8), path + "/lock")
            let file = try FileIdentity(lock, path + "/lock")
            return Lock(descriptor: lock.release(), file: file)
        } catch {
            let isTaken = error.errno == EWOULDBLOCK
            throw Refusal(
                description: isTaken
                    ? "\(error.doing): stop it, or give this one another --runtime-directory" : error.description)
        }
    }

    private static func taken(_ path: String, by holder: String) -> SystemError {
        SystemError("another fwmarkd (process \(holder)) runs on \(path)", .errno(EWOULDBLOCK))
    }

    /// The process of another user that holds the lock there; nil if there is none, or that cannot be known. The directory could not
    /// be used anyway, but what matters to the superuser who types `fwmarkd` is that the daemon runs already.
    private static func otherUsersHolder(of path: String) -> String? {
        guard let lock = try? Descriptor(opening: path + "/lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
            flock(lock.number, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK
        else { return nil }
        return holder(lock)
    }

    private static func holder(_ lock: borrowing Descriptor) -> String {
        let bytes = (try? lock.read(upTo: 16, "lock")) ?? []
        return String(decoding: bytes.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }, as: UTF8.self)
    }
}
