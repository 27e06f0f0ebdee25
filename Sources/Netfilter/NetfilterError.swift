// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import SystemCalls

/// What went wrong between fwmarkd and the kernel's tables.
package struct NetfilterError: Error, Sendable, Hashable {
    /// What a caller decides on.
    package enum Code: Sendable, Hashable, CaseIterable {
        /// CAP_NET_ADMIN or CAP_NET_RAW is missing.
        case notPermitted
        /// This kernel has no legacy x_tables, no such table, or no such match or target.
        case notSupported
        /// The table changed between reading and writing (EAGAIN).
        case changedMeanwhile
        /// The kernel refused the table or a part of it (EINVAL, ELOOP …). Another program's commit may be the cause.
        case refused
        /// The kernel had no memory.
        case outOfMemory
        /// Another program held the xtables lock for too long.
        case lockTimeout
        /// The lock file could not be opened.
        case lockUnavailable
        /// A table's contents do not follow the kernel's own rules.
        case malformed
        /// A rule cannot be put into an entry.
        case unencodable
        /// Anything else.
        case other

        /// Whether the same fails until the system or the configuration is changed. All other errors may pass.
        package var isPermanent: Bool {
            switch self {
            case .notPermitted, .notSupported, .unencodable: true
            case .changedMeanwhile, .refused, .outOfMemory, .lockTimeout, .lockUnavailable, .malformed, .other: false
            }
        }
    }

    /// What a caller decides on.
    package let code: Code
    /// The kernel's number of the error; 0 where no system call failed.
    package let errno: CInt
    /// What happened, to what, and what to do, for the person at the terminal.
    package let message: String

    /// An error of these parts.
    package init(_ code: Code, errno: CInt = 0, _ message: String) {
        (self.code, self.errno, self.message) = (code, errno, message)
    }
}

extension NetfilterError: CustomStringConvertible {
    /// The message.
    package var description: String { message }
}

extension NetfilterError {
    /// The error that a system call or libiptc has just left in errno, while `doing` (like `reading ipv4 nat`).
    static func last(_ doing: String) -> NetfilterError { NetfilterError(errno: Glibc.errno, doing) }

    /// The error of a number, while `doing`.
    package init(errno: CInt, _ doing: String) {
        let plain = SystemError.text(errno: errno)
        switch errno {
        case EPERM, EACCES:
            self.init(
                .notPermitted, errno: errno,
                "\(doing): \(plain); this needs CAP_NET_ADMIN and CAP_NET_RAW (run it as root)")
        case ENOPROTOOPT:
            self.init(
                .notSupported, errno: errno,
                "\(doing): the kernel does not know legacy x_tables; load ip_tables and ip6_tables, or use a kernel with "
                    + "CONFIG_NETFILTER_XTABLES_LEGACY (Linux 6.17 and later leave it out by default)")
        case EAFNOSUPPORT:
            self.init(.notSupported, errno: errno, "\(doing): \(plain); the kernel runs without this family (ipv6.disable=1?)")
        case ENOENT, EPROTONOSUPPORT, EOPNOTSUPP:
            self.init(.notSupported, errno: errno, "\(doing): the kernel lacks a match or a target (\(plain))")
        case EAGAIN:
            self.init(.changedMeanwhile, errno: errno, "\(doing): the table changed meanwhile (\(plain))")
        case ENOMEM:
            self.init(.outOfMemory, errno: errno, "\(doing): the kernel is out of memory (\(plain))")
        case EINVAL, ELOOP:
            self.init(.refused, errno: errno, "\(doing): refused by the kernel (\(plain))")
        default:
            self.init(.other, errno: errno, "\(doing): \(plain)")
        }
    }
}
