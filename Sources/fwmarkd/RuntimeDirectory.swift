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
    /// The lock's descriptor and inode. Held locked as long as the daemon lives; a lock, unlike a file's existence, ends with the
    /// process.
    private let lock: Mutex<(descriptor: CInt, inode: ino_t)>

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
        let inode = inodeOfLock()
        let isHeld = lock.withLock { $0.inode == inode }
        if isHeld { return }
        let taken = try RuntimeDirectory.take(path)
        lock.withLock { lock in
            close(lock.descriptor)
            lock = taken
        }
    }

    /// Whether the directory, or the socket in it, is not the one any more that was made.
    func hasLost(_ socket: String, inode: ino_t) -> Bool {
        var status = stat()
        let isThere = lstat(self.socket(socket), &status) == 0 && status.st_ino == inode
        return !isThere || lock.withLock { $0.inode } != inodeOfLock()
    }

    /// The inode of the socket, to be asked for when it was made; 0 if there is none.
    func inode(_ socket: String) -> ino_t {
        var status = stat()
        return lstat(self.socket(socket), &status) == 0 ? status.st_ino : 0
    }

    /// Takes the sockets away.
    func removeSockets() {
        for socket in [Endpoint.statusSocket, Endpoint.controlSocket] { unlink(self.socket(socket)) }
    }

    private func inodeOfLock() -> ino_t {
        var status = stat()
        return lstat(path + "/lock", &status) == 0 ? status.st_ino : 0
    }

    private static func take(_ path: String) throws(Refusal) -> (descriptor: CInt, inode: ino_t) {
        let lock: Descriptor
        let inode: ino_t
        do throws(SystemError) {
            let directory = try Directory.own(path, mode: 0o755)
            lock = try Descriptor(opening: "lock", in: directory, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK)
            let status = try lock.status(path + "/lock")
            guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid() else {
                throw SystemError("using \(path)/lock", .untrusted("it is not a file of this user"))
            }
            inode = status.st_ino
        } catch {
            throw Refusal(description: error.description)
        }
        guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
            throw Refusal(
                description: "another fwmarkd (process \(holder(lock))) runs on \(path): "
                    + "stop it, or give this one another --runtime-directory")
        }
        // For people; the lock itself is what counts.
        ftruncate(lock.number, 0)
        try? lock.write(Array("\(getpid())\n".utf8), path + "/lock")
        return (lock.release(), inode)
    }

    private static func holder(_ lock: borrowing Descriptor) -> String {
        let bytes = (try? lock.read(upTo: 16, "lock")) ?? []
        return String(decoding: bytes.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }, as: UTF8.self)
    }
}
