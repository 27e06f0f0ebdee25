import Glibc
import SystemPackage

/// The lock that keeps programs from changing tables at the same time, taken the way `iptables -w` takes it: an exclusive
/// `flock` on the lock file. Released when the value goes.
package struct XtablesLock: ~Copyable {
    private let descriptor: FileDescriptor

    /// The lock file: `XTABLES_LOCKFILE` of the environment, else `/run/xtables.lock` (iptables(8)).
    package static var defaultPath: String {
        getenv("XTABLES_LOCKFILE").map { String(cString: $0) } ?? "/run/xtables.lock"
    }

    /// Takes the lock if nobody has it; nil while another program does.
    ///
    /// - Throws: `lockUnavailable` when the file cannot be opened or locked at all.
    package init?(ifFreeAt path: String = XtablesLock.defaultPath) throws(NetfilterError) {
        let descriptor: FileDescriptor
        do {
            descriptor = try FileDescriptor.open(
                FilePath(path), .readOnly, options: [.create, .closeOnExec], permissions: [.ownerRead, .ownerWrite])
        } catch {
            throw NetfilterError(
                .lockUnavailable, errno: (error as? Errno)?.rawValue ?? 0,
                "opening the xtables lock \(path): \(error); nothing is changed without the lock, see XTABLES_LOCKFILE in iptables(8)"
            )
        }
        while flock(descriptor.rawValue, LOCK_EX | LOCK_NB) != 0 {
            let number = Glibc.errno
            if number == EINTR { continue }
            try? descriptor.close()
            guard number == EWOULDBLOCK else {
                throw NetfilterError(.lockUnavailable, errno: number, "locking \(path): \(Errno(rawValue: number))")
            }
            return nil
        }
        self.descriptor = descriptor
    }

    deinit {
        // Closing the only descriptor of the open file releases the lock.
        try? descriptor.close()
    }
}
