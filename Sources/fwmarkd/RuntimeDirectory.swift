import API
import Glibc
import Hummingbird
import Logging
import ServiceLifecycle
import SystemPackage

/// The directory of the sockets, owned by one daemon at a time.
final class RuntimeDirectory: Sendable {
    /// Why the directory cannot be used.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    private let path: String
    /// Held locked as long as the daemon lives; a lock, unlike a file's existence, ends with the process.
    private let lock: FileDescriptor

    /// Takes the directory, and makes it if there is none.
    ///
    /// - Throws: when another daemon has it, or it cannot be written to.
    init(_ path: String) throws {
        self.path = path
        try Directory.make(path, mode: 0o755)
        let lockPath = FilePath(path + "/lock")
        do {
            lock = try FileDescriptor.open(lockPath, .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
        } catch {
            throw Refusal(description: "\(lockPath) cannot be opened: \(error)")
        }
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            var bytes = [UInt8](repeating: 0, count: 16)
            let count = (try? bytes.withUnsafeMutableBytes { try lock.read(into: $0) }) ?? 0
            let holder = String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            try? lock.close()
            throw Refusal(
                description:
                    "another fwmarkd (process \(holder)) runs on \(path): stop it, or give this one another --runtime-directory")
        }
        _ = ftruncate(lock.rawValue, 0)
        _ = try? lock.writeAll("\(getpid())\n".utf8)
        // The lock is ours, so whatever sockets stand there are left over.
        removeSockets()
    }

    deinit { try? lock.close() }

    /// The paths of both sockets.
    private var statusSocket: String { path + "/" + Endpoint.statusSocket }
    private var controlSocket: String { path + "/" + Endpoint.controlSocket }

    /// The servers on both sockets, and a stream that yields once for each when it listens.
    func servers(_ answers: some AnswerSource, _ log: Logger) -> (servers: [any Service], listening: AsyncStream<Void>) {
        let (listening, continuation) = AsyncStream.makeStream(of: Void.self)
        func server(_ socket: String, mode: mode_t, mayAct: Bool) -> any Service {
            httpServer(answers, mayAct: mayAct, .unixDomainSocket(path: socket), log) {
                // Made under umask 077: until here it was the superuser's alone.
                if chmod(socket, mode) != 0 {
                    log.error("the mode of \(socket) cannot be set: \(String(cString: strerror(errno)))")
                }
                continuation.yield()
            }
        }
        return ([server(statusSocket, mode: 0o666, mayAct: false), server(controlSocket, mode: 0o600, mayAct: true)], listening)
    }

    /// Takes the sockets away.
    func removeSockets() {
        unlink(statusSocket)
        unlink(controlSocket)
    }
}

/// Directories that the daemon needs.
enum Directory {
    /// Makes the directory if there is none; its parent has to exist.
    ///
    /// - Throws: `RuntimeDirectory.Refusal`
    static func make(_ path: String, mode: mode_t) throws {
        guard mkdir(path, 0o700) != 0 else {
            // Not by mkdir, whose mode the umask cuts.
            chmod(path, mode)
            return
        }
        guard errno == EEXIST else {
            throw RuntimeDirectory.Refusal(description: "the directory \(path) cannot be made: \(String(cString: strerror(errno)))")
        }
    }
}
