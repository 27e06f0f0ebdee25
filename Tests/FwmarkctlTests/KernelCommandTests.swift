// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import NamespaceSupport
import Rules
import Testing

@Suite("Commands that read and write the kernel", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct KernelCommandTests {
    /// Runs `body` with a scratch directory, a file and the program, in a namespace of its own.
    private func inNamespace(
        _ text: String = exampleFile,
        _ body: @escaping @Sendable (Scratch, NetworkNamespace, @Sendable (String) throws -> End) async throws -> Void
    ) async throws {
        try await NetworkNamespace.run { namespace in
            let scratch = try Scratch()
            let file = try scratch.file("fwmarkd.yaml", text)
            try await body(scratch, namespace) { line in
                try Program(scratch, in: namespace).run("\(line) --config \(file) --socket \(scratch.path)")
            }
        }
    }

    @Test("plan shows what is missing and changes nothing; apply makes it so, once")
    func planAndApply() async throws {
        try await inNamespace { scratch, namespace, run in
            let lines = #"""
                + iptables-legacy -t nat -N fwmarkd-nat
                + iptables-legacy -t nat -I fwmarkd-nat 1 -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -m comment --comment ftp -j MASQUERADE
                + iptables-legacy -t nat -I POSTROUTING 1 -j fwmarkd-nat
                + iptables-legacy -t mangle -N fwmarkd-hold
                + iptables-legacy -t mangle -N fwmarkd-mark
                + iptables-legacy -t mangle -I fwmarkd-mark 1 -d 203.0.113.10/32 -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp -j MARK --set-xmark 0x15/0xffffffff
                + iptables-legacy -t mangle -I fwmarkd-mark 2 -d 203.0.113.20/32 -p tcp -m multiport --dports 80,443 -m comment --comment web -j MARK --set-xmark 0x50/0xffffffff
                + iptables-legacy -t mangle -I fwmarkd-hold 1 -m conntrack --ctstate NEW,RELATED,ESTABLISHED -m comment --comment 'keeps connection tracking while nat is reloaded, so that transfers go on'
                + iptables-legacy -t mangle -I PREROUTING 1 -j fwmarkd-mark
                + ip6tables-legacy -t mangle -N fwmarkd-mark
                + ip6tables-legacy -t mangle -I fwmarkd-mark 1 -d 2001:db8::20/128 -p tcp -m multiport --dports 80,443 -m comment --comment web -j MARK --set-xmark 0x50/0xffffffff
                + ip6tables-legacy -t mangle -I PREROUTING 1 -j fwmarkd-mark

                """#
            let plan = try run("plan")
            #expect(plan.status == 2 && plan.errors == "")
            #expect(plan.output == lines + "12 changes: 4 chains to add, 8 rules to add\n")
            #expect(try namespace.run("cat", "/proc/self/net/ip_tables_names") == "", "a look must not make a table")

            let apply = try run("apply")
            #expect(apply.status == 0 && apply.errors == "")
            #expect(apply.output.hasPrefix(lines + "12 changes: 4 chains added, 8 rules added, in "))
            let again = try run("apply")
            #expect(again.status == 0)
            #expect(again.output == "nothing to do: the kernel has what \(scratch.path)/fwmarkd.yaml asks for\n")
            let after = try run("plan")
            #expect(after.status == 0)
            #expect(after.output == "no difference: the kernel has what \(scratch.path)/fwmarkd.yaml asks for\n")
        }
    }

    @Test("plan shows what somebody changed, foreign rules in our chains included; remove leaves all that is theirs")
    func driftAndRemove() async throws {
        try await inNamespace { _, namespace, run in
            func saved() throws -> [Substring] {
                try namespace.run("iptables-legacy-save", "-t", "mangle").split(separator: "\n").filter { !$0.hasPrefix("#") }
            }
            try namespace.run("iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-p", "icmp", "-j", "ACCEPT")
            let before = try saved()
            #expect(try run("apply").status == 0)
            try namespace.run("iptables-legacy", "-t", "mangle", "-D", "fwmarkd-mark", "2")
            try namespace.run("iptables-legacy", "-t", "mangle", "-A", "fwmarkd-mark", "-m", "mark", "--mark", "7", "-j", "ACCEPT")
            let plan = try run("plan")
            #expect(plan.status == 2)
            let lines = plan.output.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(lines.contains { $0.hasPrefix("- iptables-legacy -t mangle -D fwmarkd-mark 2 ") && $0.contains("--mark 0x7") })
            #expect(lines.contains { $0.hasPrefix("+ iptables-legacy -t mangle -I fwmarkd-mark 2 -d 203.0.113.20/32 ") })
            #expect(lines.last == "2 changes: 1 rule to add, 1 rule to remove")

            let json = try run("plan --json")
            #expect(json.status == 2)
            let reconciliation = try JSON.decode(Reconciliation.self, from: Array(json.output.utf8))
            #expect(reconciliation.changeCount == 2 && Set(reconciliation.changes.map(\.kind)) == [.add, .remove])

            let remove = try run("remove")
            #expect(remove.status == 0)
            #expect(remove.output.contains("rules removed, 4 chains removed, in "))
            #expect(try run("remove").output == "nothing to do: the kernel has no rules of fwmarkd\n")
            #expect(try saved() == before)
        }
    }

    @Test("remove needs no file")
    func removeWithoutFile() async throws {
        try await inNamespace("nonsense") { _, _, run in
            let end = try run("remove")
            #expect(end.status == 0)
        }
    }

    @Test(
        "What render prints for iptables makes what plan wants",
        arguments: [
            "", "daemon: {hook-position: last}\n",
            "masquerade:\n  - {name: odd.name, sources: [10.0.0.0/8], out-interface: \"$(x)'`y`\", to: 192.0.2.1}\n",
        ])
    func rendered(_ more: String) async throws {
        try await inNamespace(exampleFile + "\n" + more) { _, namespace, run in
            try namespace.run("sh", input: try run("render --format commands").output)
            #expect(try run("plan").status == 0)
            #expect(try run("remove").status == 0)
            #expect(try run("plan").status == 2)
            try namespace.run("iptables-legacy-restore", "--noflush", input: try run("render --family ipv4").output)
            try namespace.run("ip6tables-legacy-restore", "--noflush", input: try run("render --family ipv6").output)
            #expect(try run("plan").status == 0)
        }
    }

    @Test("Without rights, what needs the kernel says what it lacks", arguments: ["plan", "apply", "remove"])
    func withoutRights(_ command: String) async throws {
        try await NetworkNamespace.run { namespace in
            let scratch = try Scratch()
            let file = try scratch.file("fwmarkd.yaml", exampleFile)
            try namespace.run("iptables-legacy", "-t", "mangle", "-S")
            var program = Program(scratch, in: namespace)
            program.wrapper += Program.asNobody
            let end = try program.run([command, "--config", file, "--socket", scratch.path])
            #expect(end.status == 1 && end.output == "")
            #expect(end.errorLines.count == 1)
            #expect(end.errors.contains("root") || end.errors.contains("xtables lock"), "\(end.errors)")
        }
    }

    @Test("apply beside a daemon that works from another file warns; remove refuses, unless forced")
    func besideADaemon() async throws {
        try await inNamespace { scratch, _, run in
            let status = String(decoding: JSON.encode(Samples.status), as: UTF8.self)
            let daemon = try FakeDaemon(scratch, ["GET /v1/status": { $0.answer(200, status) }])
            defer { daemon.stop() }
            let apply = try run("apply")
            #expect(apply.status == 0)
            #expect(
                apply.errorLines == [
                    "fwmarkctl: warning: fwmarkd (process 4711) works from another state of the file and will undo this; "
                        + "have it read the file: fwmarkctl reload"
                ])
            let refused = try run("remove")
            #expect(refused.status == 1 && refused.output == "")
            #expect(
                refused.errorLines == [
                    "fwmarkctl: fwmarkd is running (process 4711) and would put the rules back; stop it first: "
                        + "systemctl stop fwmarkd (or use --force)"
                ])
            #expect(try run("plan").status == 0, "nothing was removed")
            let forced = try run("remove --force")
            #expect(forced.status == 0 && forced.errors.contains("would put the rules back"))
            #expect(try run("plan").status == 2)
        }
    }
}
