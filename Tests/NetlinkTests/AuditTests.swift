// SPDX-License-Identifier: GPL-2.0-or-later
import NamespaceSupport
import Testing

@testable import Netlink

private func record(_ type: UInt16, _ line: String) -> AuditRecord? {
    let body = Array(line.utf8)
    // struct nlmsghdr, then the text without a NUL.
    let bytes = u32(UInt32(16 + body.count)) + u16(type) + u16(0) + u32(0) + u32(0) + body
    return AuditListener.records(in: bytes[...]).first
}

@Suite("The audit log")
struct AuditTests {
    @Test(
        "A change of a table names table, family, process and program",
        arguments: [
            (
                "audit(1700000000.123:42): table=mangle family=2 entries=8 op=xt_replace pid=812 subj=unconfined comm=\"iptables\"",
                AuditRecord.TableChange(table: "mangle", family: 2, operation: "xt_replace", pid: 812, program: "iptables")
            ),
            (
                "audit(1700000000.123:42): table=filter:12;input:3 family=10 entries=8 op=nft_register_rule pid=9 comm=6D792066770A",
                AuditRecord.TableChange(table: "filter", family: 10, operation: "nft_register_rule", pid: 9, program: "my fw\n")
            ),
            // Linux before 5.10.
            ("audit(1700000000.123:42): table=nat family=2 entries=5", AuditRecord.TableChange(table: "nat", family: 2)),
            // The kernel's own fields come before those that a program can choose.
            (
                "audit(1700000000.123:42): table=nat family=2 pid=812 comm=\"a\" table=raw pid=1 comm=\"b\"",
                AuditRecord.TableChange(table: "nat", family: 2, pid: 812, program: "a")
            ),
            // A program that calls itself `pid=1` in hexadecimal digits, and numbers out of range.
            (
                "audit(1700000000.123:42): table=nat family=2 op=xt_replace pid=99999999999 comm=zz",
                AuditRecord.TableChange(table: "nat", family: 2, operation: "xt_replace")
            ),
        ])
    func tableChange(_ line: String, _ expected: AuditRecord.TableChange) {
        #expect(record(1325, line) == AuditRecord(event: "1700000000.123:42", contents: .tableChange(expected)))
    }

    @Test("A command line has its arguments, blanks and all")
    func commandLine() {
        #expect(
            record(1327, "audit(1.000:7): proctitle=69707461626C6573002D7400206100")?.contents
                == .commandLine(["iptables", "-t", " a"]))
        #expect(record(1327, "audit(1.000:7): proctitle=\"iptables\"")?.contents == .commandLine(["iptables"]))
    }

    @Test(
        "Other records are left out",
        arguments: [
            (1300, "audit(1.000:7): table=nat family=2"), (1325, ""), (1325, "audit("), (1325, "audit(1.000:7): table=nat"),
            (1325, "audit(1.000:7): table=nat family=300"), (1327, "audit(1.000:7): proctitle=\""),
            (1327, "audit(1.000:7): proctitle=6"), (1327, "audit(1.000:7): proctitle=+f"),
        ] as [(UInt16, String)])
    func others(_ type: UInt16, _ line: String) { #expect(record(type, line) == nil) }

    @Test(
        "In a network namespace of its own the log is never heard, and that is said",
        .enabled(if: NetworkNamespace.isAvailable, "needs root"))
    func otherNamespace() async throws {
        try await NetworkNamespace.run { _ in
            do throws(AuditListener.Unavailable) {
                _ = try AuditListener()
                Issue.record("it listens")
            } catch {
                #expect(error == .otherNamespace)
            }
        }
    }
}
