import Glibc
internal import SystemPackage

/// The lock that keeps programs from changing tables at the same time, taken the way `iptables -w` takes it: an exclusive
/// `flock` on the lock file. Released when the value goes.
public struct XtablesLock: ~Copyable {
    private let descriptor: FileDescriptor

    /// The lock file: `XTABLES_LOCKFILE` of the environment, else `/run/xtables.lock` (iptables(8)).
    public static var defaultPath: String {
        getenv("XTABLES_LOCKFILE").map { String(cString: $0) } ?? "/run/xtables.lock"
    }

    /// How long to sleep between two attempts.
    private static let pollInterval = Duration.milliseconds(5)

    /// Takes the lock, waiting at most `timeout`; blocks the calling thread while it waits.
    ///
    /// - Throws: `lockUnavailable` when the file cannot be opened, `lockTimeout` when another program kept the lock.
    public init(path: String = XtablesLock.defaultPath, timeout: Duration) throws(NetfilterError) {
        let descriptor: FileDescriptor
        do {
            descriptor = try FileDescriptor.open(
                FilePath(path), .readOnly, options: [.create, .closeOnExec], permissions: [.ownerRead, .ownerWrite])
        } catch {
            throw NetfilterError(
                .lockUnavailable, errno: (error as? Errno)?.rawValue ?? 0,
                "opening the xtables lock \(path): \(error); nothing is changed without the lock, see XTABLES_LOCKFILE in iptables(8)")
        }
        let deadline = ContinuousClock.now + timeout
        while flock(descriptor.rawValue, LOCK_EX | LOCK_NB) != 0 {
            let number = Glibc.errno
            if number == EINTR { continue }
            guard number == EWOULDBLOCK else {
                try? descriptor.close()
                throw NetfilterError(
                    .lockUnavailable, errno: number, "locking \(path): \(Errno(rawValue: number))")
            }
            guard ContinuousClock.now < deadline else {
                try? descriptor.close()
                throw NetfilterError(
                    .lockTimeout, errno: number,
                    "another program has held the xtables lock \(path) for more than \(timeout); find it with `fuser -v \(path)`")
            }
            var pause = timespec(tv_sec: 0, tv_nsec: Int(XtablesLock.pollInterval.components.attoseconds / 1_000_000_000))
            nanosleep(&pause, nil)
        }
        self.descriptor = descriptor
    }

    deinit {
        // Closing the only descriptor of the open file releases the lock.
        try? descriptor.close()
    }
}
