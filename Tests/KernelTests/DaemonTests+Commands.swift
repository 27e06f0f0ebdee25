// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Rules
import Testing

extension DaemonTests {
    @Suite("fwmarkctl's exit statuses")
    struct Control {
        @Test("Without a daemon")
        func absent() async throws {
            try await NetworkNamespace.run { namespace in
                let files = try Daemon.Files(namespace: namespace, ftpExample())
                for command in ["status", "reload", "reconcile", "events", "metrics"] {
                    let (code, output) = try files.control(command)
                    #expect(code == 4, "\(command): \(output)")
                }
                #expect(try files.control("check").status == 0)
                #expect(try files.control("plan").status == 2)
                #expect(try namespace.saved(.ipv4) == "", "plan makes no table")
                #expect(try files.control("apply").status == 0)
                #expect(try namespace.saved(.ipv4) == golden("ftp.ipv4"))
                #expect(try files.control("plan").status == 0)
                #expect(try files.control("remove").status == 0)
                #expect(try SavedTables(.ipv4, in: namespace).ours == [])
                #expect(try files.control("nonsense").status == 64)
                try files.write("ftp: 1\n")
                #expect(try files.control("check").status == 1)
                #expect(try files.control("plan").status == 1)
                #expect(try files.control("apply").status == 1)
            }
        }

        @Test("With a daemon")
        func present() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, try ftpExample())
                for command in ["status", "reload", "reconcile", "events", "metrics", "plan"] {
                    let (code, output) = try daemon.files.control(command)
                    #expect(code == 0, "\(command): \(output)")
                }
                try daemon.files.write("ftp: 1\nservices: 2\n")
                let (code, output) = try daemon.files.control("reload")
                #expect(code == 1)
                #expect(output.contains("fwmarkd.yaml:1:") && output.contains("fwmarkd.yaml:2:"), "\(output)")
            }
        }

        @Test("The second apply makes no commit", .enabled(if: hasStrace, "needs strace"))
        func secondApply() async throws {
            try await NetworkNamespace.run { namespace in
                let files = try Daemon.Files(namespace: namespace, ftpExample())
                for wanted in [2, 0] {
                    let trace = namespace.directory.path + "/trace-\(wanted)"
                    try namespace.run(
                        ["strace", "-f", "-qq", "-e", "trace=setsockopt", "-o", trace, try builtProgram("fwmarkctl"), "apply"]
                            + ["--config", files.configuration])
                    #expect(try commits(in: trace) == wanted)
                }
            }
        }
    }

    @Suite("The lock")
    struct Lock {
        @Test("Held by another for longer than the timeout: failed, with a message that names the file; well again when it is free")
        func held() async throws {
            try await NetworkNamespace.run { namespace in
                let files = try Daemon.Files(namespace: namespace, ftpExample("lock-timeout: 200ms"))
                let lock = open(namespace.lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
                #expect(flock(lock, LOCK_EX) == 0)
                let daemon = try Daemon(in: namespace)
                try daemon.expect("STATUS=failed")
                try daemon.untilAnswering()
                let status = try daemon.status()
                #expect(status.state == .failed)
                #expect(status.lastError?.message.contains(namespace.lockPath) == true)
                #expect(try namespace.saved(.ipv4) == "")
                #expect(try files.control("reconcile").status == 1)
                close(lock)
                try daemon.expect("READY=1")
                #expect(try namespace.saved(.ipv4) == golden("ftp.ipv4"))
            }
        }

        @Test(
            "A lock file that cannot be made is named, and nothing is changed",
            arguments: ["/proc/xtables.lock", "/nowhere/xtables.lock"])
        func impossible(_ path: String) async throws {
            try await NetworkNamespace.run { namespace in
                try Daemon.Files(namespace: namespace).write(ftpExample())
                let daemon = try Daemon(in: namespace, environment: ["XTABLES_LOCKFILE": path])
                try daemon.expect("STATUS=failed")
                try daemon.untilAnswering()
                #expect(try daemon.status().lastError?.message.contains(path) == true)
                #expect(try namespace.saved(.ipv4) == "")
                #expect(try daemon.stop() == 0)
            }
        }
    }
}
