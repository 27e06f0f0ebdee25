// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import SystemCalls

/// The lock that keeps programs from changing tables at the same time, taken the way `iptables -w` takes it: an exclusive
/// `flock` on the lock file. Released when the value goes.
package struct XtablesLock: ~Copyable {
    private let descriptor: Descriptor

    /// The lock file: `XTABLES_LOCKFILE` of the environment, else `/run/xtables.lock` (iptables(8)).
    package static var defaultPath: String {
        getenv("XTABLES_LOCKFILE").map { String(cString: $0) } ?? "/run/xtables.lock"
    }

    /// Takes the lock if it is free; nil while another program has it. Never waits, whatever the file is.
    ///
    /// - Throws: `lockUnavailable` when the file cannot be opened or locked at all.
    package init?(ifFreeAt path: String = XtablesLock.defaultPath) throws(NetfilterError) {
        do throws(SystemError) {
            let descriptor = try Descriptor(opening: path, O_RDONLY | O_CREAT | O_NONBLOCK, mode: 0o600)
            try systemCall("locking \(path)") { flock(descriptor.number, LOCK_EX | LOCK_NB) }
            self.descriptor = descriptor
        } catch {
            if error.errno == EWOULDBLOCK { return nil }
            throw NetfilterError(
                .lockUnavailable, errno: error.errno ?? 0,
                "the xtables lock (XTABLES_LOCKFILE in iptables(8)) cannot be taken: \(error)")
        }
    }
}
