// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Rules
import Testing

/// Tests of the real programs, one after the other: several of them measure time.
@Suite("fwmarkd and fwmarkctl in a namespace", .serialized, .enabled(if: NetworkNamespace.isAvailable, "needs root"))
enum DaemonTests {}

/// `Configs/examples/ftp.yaml`, and the same with settings before it.
func ftpExample(_ daemon: String = "") throws -> String {
    let text = try String(contentsOf: repository.appendingPathComponent("Configs/examples/ftp.yaml"), encoding: .utf8)
    return (daemon.isEmpty ? "" : "daemon: {\(daemon)}\n") + text
}

func golden(_ name: String) throws -> String {
    try String(contentsOf: repository.appendingPathComponent("Tests/KernelTests/Golden/\(name)"), encoding: .utf8)
}

/// The system calls that replaced a table, in what strace wrote.
func commits(in file: String) throws -> Int {
    try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").filter { $0.contains("_SO_SET_REPLACE") }.count
}

let hasStrace = FileManager.default.isExecutableFile(atPath: "/usr/bin/strace")

extension DaemonTests {
    @Suite("From boot to stop")
    struct Life {
        @Test("READY comes when the rules are in the kernel, STOPPING when they are to stay; the exit status is 0")
        func bootAndStop() async throws {
            try await NetworkNamespace.run { namespace in
                let start = ContinuousClock.now
                let daemon = try Daemon.ready(in: namespace, try ftpExample())
                print("from start to READY (debug build): \(start.duration(to: .now))")
                #expect(try namespace.saved(.ipv4) == golden("ftp.ipv4"))
                #expect(try namespace.saved(.ipv6) == "")
                let status = try daemon.status()
                #expect(status.state == .inSync)
                #expect(status.pid == daemon.program.process)
                #expect(status.services.map(\.name) == ["ftp"])
                #expect(try daemon.use().resident < 64 << 20)
                print("resident after start (debug build): \(try daemon.use().resident / 1024) KiB")

                daemon.program.signal(SIGTERM)
                try daemon.expect("STOPPING=1")
                #expect(try daemon.program.wait() == 0)
                #expect(try namespace.saved(.ipv4) == golden("ftp.ipv4"), "on-stop: keep")
                #expect(!FileManager.default.fileExists(atPath: daemon.files.statusSocket))
                #expect(!FileManager.default.fileExists(atPath: daemon.files.controlSocket))
            }
        }

        @Test("on-stop: remove takes everything out at SIGTERM and at SIGINT, and nothing else", arguments: [SIGTERM, SIGINT])
        func remove(_ signal: CInt) async throws {
            try await NetworkNamespace.run { namespace in
                try namespace.run("iptables-legacy-restore", "-c", input: neighbours)
                let before = try SavedTables(.ipv4, in: namespace)
                let daemon = try Daemon.ready(in: namespace, try ftpExample("on-stop: remove"))
                #expect(try SavedTables(.ipv4, in: namespace) != before)
                daemon.program.signal(signal)
                #expect(try daemon.program.wait() == 0)
                #expect(try SavedTables(.ipv4, in: namespace) == before)
            }
        }

        @Test("SIGHUP with a broken file: the old rules stay with their counters, and the status says which line is wrong")
        func brokenFile() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, try ftpExample())
                try namespace.giveCounters(.ipv4)
                let before = try SavedTables(.ipv4, in: namespace)
                let broken = try ftpExample().replacing("mark: 21", with: "mark: 0")
                let line = broken.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0.contains("mark: 0") }
                try daemon.files.write(broken)
                try daemon.hangUp()
                #expect(try SavedTables(.ipv4, in: namespace) == before)
                let status = try daemon.status()
                #expect(status.state == .inSync)
                #expect(status.configuration.errors.map(\.line) == [(line ?? 0) + 1])
                let (code, output) = try daemon.files.control("status")
                #expect(code == 0)
                #expect(output.contains("fwmarkd.yaml:\((line ?? 0) + 1):"), "\(output)")

                try daemon.files.write(
                    try ftpExample() + "services: [{name: web, mark: 80, addresses: [203.0.113.20], tcp: [80]}]\n")
                try daemon.hangUp()
                #expect(try daemon.status().configuration.errors == [])
                let after = try SavedTables(.ipv4, in: namespace)
                #expect(after.ours.count == before.ours.count + 1)
                #expect(Set(before.rules).isSubset(of: after.rules), "what stays keeps its counters")
            }
        }

        @Test(
            "kill -9 and start: rules and counters are as they were, and nothing is committed",
            .enabled(if: hasStrace, "needs strace"))
        func killAndStart() async throws {
            try await NetworkNamespace.run { namespace in
                let text = try ftpExample()
                try namespace.run("iptables-legacy-restore", "-c", input: neighbours)
                let trace = namespace.directory.path + "/trace"
                let strace = ["strace", "-D", "-f", "-qq", "-e", "trace=setsockopt", "-o", trace]
                let first = try Daemon.ready(in: namespace, text, wrapper: strace)
                // The trace is whole when the tracer has ended, and it ends after the daemon.
                try first.kill()
                #expect(try commits(in: trace) == 2, "nat and mangle")
                #expect(FileManager.default.fileExists(atPath: first.files.statusSocket), "sockets are left over")
                try namespace.giveCounters(.ipv4)
                let before = try SavedTables(.ipv4, in: namespace)
                try FileManager.default.removeItem(atPath: trace)

                let second = try Daemon.ready(in: namespace, text, wrapper: strace)
                #expect(try second.status().state == .inSync, "the sockets that were left over are replaced")
                #expect(try SavedTables(.ipv4, in: namespace) == before)
                try second.stop()
                #expect(try commits(in: trace) == 0)
                #expect(try SavedTables(.ipv4, in: namespace) == before)
            }
        }

        @Test("A second daemon on the same directory is refused with a message that names the first, which does not notice")
        func twoDaemons() async throws {
            try await NetworkNamespace.run { namespace in
                let first = try Daemon.ready(in: namespace, try ftpExample())
                let second = try Daemon(in: namespace)
                #expect(try second.program.wait(seconds: 10) == 1)
                #expect(
                    second.program.output.contains(
                        "another fwmarkd (process \(first.program.process)) runs on \(first.files.runtime)"))
                #expect(try first.status().state == .inSync)
                #expect(try first.stop() == 0)
            }
        }

        @Test("--once applies and exits; with a bad file it applies the last good one and exits 1, or nothing at all")
        func once() async throws {
            try await NetworkNamespace.run { namespace in
                let files = try Daemon.Files(namespace: namespace, "services: [{name: web}]\n")
                let refused = try files.once()
                #expect(refused.status == 1)
                #expect(refused.output.contains("fwmarkd.yaml:1:"), "\(refused.output)")
                #expect(try namespace.saved(.ipv4) == "")

                try files.write(try ftpExample())
                let applied = try files.once()
                #expect(applied.status == 0, "\(applied.output)")
                #expect(try namespace.saved(.ipv4) == golden("ftp.ipv4"))

                try namespace.run("iptables-legacy", "-t", "mangle", "-F", "fwmarkd-mark")
                try files.write("services: [{name: web}]\n")
                let fallback = try files.once()
                #expect(fallback.status == 1)
                #expect(try namespace.saved(.ipv4) == golden("ftp.ipv4"))
            }
        }

        @Test("A boot with a bad file: the last good one is in force, the state is degraded, and the next good reload heals it")
        func degraded() async throws {
            try await NetworkNamespace.run { namespace in
                try Daemon.ready(in: namespace, try ftpExample()).stop()
                try namespace.run("iptables-legacy", "-t", "mangle", "-F")
                let daemon = try Daemon.ready(in: namespace, "ftp: [{name: ftp, mark: 0}]\n")
                #expect(try namespace.saved(.ipv4) == golden("ftp.ipv4"))
                let status = try daemon.status()
                #expect(status.state == .degraded)
                #expect(status.configuration.fallback)
                #expect(status.configuration.errors.count > 0)
                #expect(try daemon.files.control("status").status == 0, "it serves; its metrics and its log say what is wrong")
                try daemon.files.write(try ftpExample())
                let (code, output) = try daemon.files.control("reload")
                #expect(code == 0, "\(output)")
                #expect(try daemon.status().state == .inSync)
            }
        }
    }

    @Suite("Drift")
    struct Drift {
        @Test("A rule that iptables-legacy deletes is back at once, however often; a program that keeps deleting is named")
        func repaired() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, try ftpExample())
                var times: [Duration] = []
                for _ in 1...4 {
                    try namespace.run("iptables-legacy", "-t", "mangle", "-D", "fwmarkd-mark", "1")
                    times.append(try namespace.untilRight(.ipv4, golden("ftp.ipv4")))
                }
                print("from the end of iptables-legacy -D until the rule is back (debug build): \(times)")
                for time in times { #expect(time < .milliseconds(200)) }
                try namespace.run("iptables-legacy", "-t", "mangle", "-D", "fwmarkd-mark", "1")
                #expect(try namespace.untilRight(.ipv4, golden("ftp.ipv4")) < .milliseconds(200))
                let kinds = try daemon.events().map(\.kind)
                #expect(kinds.contains(.contended))
                #expect(kinds.filter { $0 == .repaired }.count == 5)
                let found = try daemon.events().first { $0.kind == .drift }
                #expect(found?.lines.first?.hasPrefix("+ iptables-legacy -t mangle -I fwmarkd-mark 1 -d 203.0.113.10/32") == true)
            }
        }

        @Test("on-drift: report reports and does not touch; fwmarkctl reconcile repairs")
        func report() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, try ftpExample("on-drift: report"))
                try namespace.run("iptables-legacy", "-t", "mangle", "-D", "fwmarkd-mark", "1")
                try daemon.wait { $0.state == .drifted }
                #expect(try daemon.files.control("status").status == 3)
                #expect(try daemon.files.control("plan").status == 2)
                #expect(try namespace.saved(.ipv4) != golden("ftp.ipv4"))
                #expect(try daemon.files.control("reconcile").status == 0)
                #expect(try namespace.saved(.ipv4) == golden("ftp.ipv4"))
                #expect(try daemon.files.control("status").status == 0)
            }
        }

        @Test(
            "What is changed without the lock is found too, also where the table has the same size"
        )
        func withoutLock() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, try ftpExample("check-interval: 200ms"))
                // Another lock file: the daemon's watch sees nothing of it.
                let elsewhere = ["XTABLES_LOCKFILE": namespace.directory.path + "/another.lock"]
                try namespace.run(["iptables-legacy", "-t", "nat", "-F", "fwmarkd-nat"], environment: elsewhere)
                #expect(try namespace.untilRight(.ipv4, golden("ftp.ipv4")) < .seconds(1.5))
                try namespace.run(
                    "iptables-legacy -t nat -R fwmarkd-nat 1 -s 10.11.13.0/24 -p tcp --sport 20 -m comment --comment ftp -j MASQUERADE"
                        .split(separator: " ").map(String.init), environment: elsewhere)
                #expect(try namespace.untilRight(.ipv4, golden("ftp.ipv4")) < .seconds(4))
                let triggers = try daemon.events().filter { $0.kind == .drift }.map(\.message)
                // Either may also be met by the look that follows the daemon's own writing; KeeperTests tell them apart.
                #expect(triggers.count == 2, "\(triggers)")
            }
        }
    }
}

extension NetworkNamespace {
    /// Waits until the tables are so, and tells how long that took.
    func untilRight(_ family: Family, _ text: String, seconds: Double = 20) throws -> Duration {
        let start = ContinuousClock.now
        while try saved(family) != text {
            guard start.duration(to: .now) < .seconds(seconds) else {
                throw Failure("not right after \(seconds) s: \(try saved(family))")
            }
        }
        return start.duration(to: .now)
    }
}
