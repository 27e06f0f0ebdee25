// SPDX-License-Identifier: GPL-2.0-or-later
/// A record of the kernel's audit log, as far as it says who changed the packet filter.
package struct AuditRecord: Sendable, Hashable {
    /// Which event the record belongs to: time and serial number, as the log writes them (`1700000000.123:42`). Records of one
    /// system call share it.
    package let event: String
    /// What it says.
    package let contents: Contents

    /// What a record says.
    package enum Contents: Sendable, Hashable {
        /// Another program changed a table (`AUDIT_NETFILTER_CFG`).
        case tableChange(TableChange)
        /// The program's command line, one string an argument (`AUDIT_PROCTITLE`); it comes after the change, cut at 128 bytes.
        case commandLine([String])
    }

    /// A change of a table of x_tables or nf_tables.
    package struct TableChange: Sendable, Hashable {
        /// The table's name: `mangle`.
        package let table: String
        /// The number of its family (`NFPROTO_…`): 2 for IPv4, 10 for IPv6.
        package let family: UInt8
        /// What was done: `xt_replace`, `xt_unregister`, `nft_register_rule`; nil before Linux 5.10.
        package let operation: String?
        /// The process that did it; nil before Linux 5.10.
        package let pid: Int32?
        /// Its program's name, up to 15 bytes; nil before Linux 5.10.
        package let program: String?

        /// A change of these parts.
        package init(table: String, family: UInt8, operation: String? = nil, pid: Int32? = nil, program: String? = nil) {
            (self.table, self.family) = (table, family)
            (self.operation, self.pid, self.program) = (operation, pid, program)
        }
    }

    /// A record of these parts.
    package init(event: String, contents: Contents) {
        (self.event, self.contents) = (event, contents)
    }
}
