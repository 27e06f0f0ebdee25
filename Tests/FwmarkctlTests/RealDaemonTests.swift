// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Testing

@Suite("fwmarkctl and fwmarkd together", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct RealDaemonTests {
    /// Runs `body` beside a daemon that keeps the example; its last argument runs fwmarkctl.
    private func besideDaemon(_ body: @escaping @Sendable (Daemon, (String) throws -> End) async throws -> Void) async throws {
        try await NetworkNamespace.run { namespace in
            let daemon = try Daemon.ready(in: namespace, exampleFile)
            let program = Program(try Scratch(), in: namespace)
            try await body(daemon) { line in
                try program.run("\(line) --config \(daemon.files.configuration) --socket \(daemon.files.runtime)")
            }
        }
    }

    @Test("A day in the life: status, a change, a mistake, the events, the metrics, the end")
    func day() async throws {
        try await besideDaemon { daemon, run in
            let status = try run("status")
            #expect(status.status == 0, "\(status.errors)")
            #expect(status.output.contains("state    in sync") && status.output.contains("process \(daemon.program.process)"))
            #expect(try run("plan").status == 0)
            #expect(try run("reconcile").output == "nothing to do: the kernel has what the daemon wants\n")

            try daemon.files.write(exampleFile.replacingOccurrences(of: "mark: 21", with: "mark: 22"))
            let reload = try run("reload")
            #expect(reload.status == 0)
            #expect(reload.output.contains("--set-xmark 0x16/0xffffffff") && reload.output.contains("1 rule added, 1 rule removed"))
            #expect(try run("plan").status == 0)

            let file = daemon.files.configuration
            try daemon.files.write(exampleFile + "\nnonsense: 1\n")
            let refused = try run("reload")
            #expect(refused.status == 1 && refused.errors.contains("\(file):12:1: nonsense: "))
            #expect(try run("status").output.contains("error    \(file):12:1: nonsense: "))
            #expect(try run("remove").status == 1)

            let events = try run("events --json").output.split(separator: "\n")
            let kinds = try events.map { try JSON.decode(Event.self, from: Array($0.utf8)).kind }
            #expect(kinds.contains(.started) && kinds.contains(.applied) && kinds.contains(.reloadRefused))
            #expect(try run("metrics").output.contains("\nfwmarkd_in_sync 1\n"))

            #expect(try daemon.stop() == 0)
            #expect(try run("status").status == 4)
            #expect(try run("remove").status == 0)
        }
    }

    @Test("status shows what was changed on the disk since the file was read, without a reload")
    func changedFiles() async throws {
        try await besideDaemon { daemon, run in
            func statusShows(_ text: String) throws -> Bool {
                // A response is sent again for 200 ms, and a run takes some of that.
                for _ in 0..<100 { if try run("status").output.contains(text) { return true } }
                return false
            }
            let directory = (daemon.files.configuration as NSString).deletingLastPathComponent + "/conf.d"
            func write(_ name: String, _ text: String) throws -> String {
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
                return "\(directory)/\(name)"
            }
            let fragment = try write("web.yml", "")
            #expect(try statusShows("\(fragment) is not read: its name does not end in .yaml"))
            #expect(try !run("status").output.contains("the file was changed"))
            try daemon.files.write(exampleFile)
            #expect(try statusShows("the file was changed "))
            let again = try run("reload")
            #expect(again.status == 0 && again.errors.contains("\(fragment) is not read"))
            #expect(try !run("status").output.contains("the file was changed"))
            _ = try write("more.yaml", "services: []")
            #expect(try statusShows("the file was changed "))
        }
    }
}
