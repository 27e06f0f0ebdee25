// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Glibc
package import SystemCalls

/// Hears what the kernel's audit log says about changes of the packet filter (`AUDIT_NLGRP_READLOG` of `<linux/audit.h>`).
///
/// A change in any network namespace is heard, within milliseconds, with or without the xtables lock; the namespace is not named.
/// While the kernel's audit is off (`auditctl -s`) nothing comes, and only a process with CAP_AUDIT_CONTROL can ask whether it is.
package struct AuditListener: ~Copyable {
    private let socket: Descriptor

    /// Why the log cannot be heard.
    package enum Unavailable: Error, Sendable, Hashable, CustomStringConvertible {
        /// CAP_AUDIT_READ in the initial user namespace is missing.
        case notPermitted
        /// The kernel has no audit.
        case notSupported
        /// This process is in a network namespace of its own, where the log is never sent.
        case otherNamespace
        /// The kernel refused for another reason.
        case failed(SystemError)

        /// The reason, and what would help.
        package var description: String {
            switch self {
            case .notPermitted: "reading the audit log needs CAP_AUDIT_READ"
            case .notSupported: "this kernel has no audit log"
            case .otherNamespace: "the audit log is sent to the machine's own network namespace alone"
            case .failed(let error): error.description
            }
        }
    }

    /// Begins to listen.
    package init() throws(Unavailable) {
        guard AuditListener.isInInitialNamespace else { throw .otherNamespace }
        socket = try AuditListener.open()
    }

    private static func open() throws(Unavailable) -> Descriptor {
        do throws(SystemError) {
            let socket = Descriptor(
                owning: try systemCall("opening the audit log") {
                    Glibc.socket(AF_NETLINK, CInt(SOCK_RAW.rawValue | UInt32(O_CLOEXEC) | UInt32(O_NONBLOCK)), NETLINK_AUDIT)
                })
            var address = sockaddr_nl()
            address.nl_family = sa_family_t(AF_NETLINK)
            address.nl_groups = 1 << (AUDIT_NLGRP_READLOG.rawValue - 1)
            let descriptor = socket.number
            try systemCall("listening to the audit log") {
                withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
                    }
                }
            }
            return socket
        } catch {
            switch error.errno {
            case EPERM, EACCES: throw .notPermitted
            case EPROTONOSUPPORT, EAFNOSUPPORT, ENOENT, ECONNREFUSED: throw .notSupported
            default: throw .failed(error)
            }
        }
    }

    /// The socket, which becomes readable when something was said. It never blocks and stays this listener's.
    package var descriptor: CInt { socket.number }

    /// Everything said since the last call; empty: nothing. Call it when the descriptor is readable.
    ///
    /// At most `limit` messages are taken, so that a flood of records cannot hold the caller; the descriptor then stays readable.
    /// Records that the kernel had to drop (ENOBUFS) are left out without a word.
    package func read(limit: Int = 1024) throws(SystemError) -> [AuditRecord] {
        var records: [AuditRecord] = []
        // MAX_AUDIT_MESSAGE_LENGTH is 8970.
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        for _ in 0..<limit {
            let count: Int
            do {
                count = try systemCall("reading the audit log") { recv(socket.number, &buffer, buffer.count, 0) }
            } catch let error {
                switch error.errno {
                case EAGAIN: return records
                case ENOBUFS: continue
                default: throw error
                }
            }
            records += AuditListener.records(in: buffer[..<count])
        }
        return records
    }

    /// The records that we have words for in what one `recv` on the descriptor gave.
    package static func records(in received: ArraySlice<UInt8>) -> [AuditRecord] {
        NetlinkMessage.split(received).messages.compactMap { AuditRecord(type: $0.head.nlmsg_type, text: $0.body) }
    }

    /// Whether this thread is in the machine's own network namespace, by a setting that no other has (`net_core_table` of
    /// `net/core/sysctl_net_core.c`); taken to be so where settings cannot be seen at all.
    private static var isInInitialNamespace: Bool {
        access("/proc/sys/net/core/netdev_max_backlog", F_OK) == 0 || access("/proc/sys/net/core/somaxconn", F_OK) != 0
    }
}
