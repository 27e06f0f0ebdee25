// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import NamespaceSupport
import Testing

@Suite("fwmarkctl and fwmarkd together", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct RealDaemonTests {
    @Test("A day in the life: status, a change, a mistake, the events, the metrics, the end")
    func day() async throws {
        try await NetworkNamespace.run { namespace in
            let scratch = try Scratch()
            let file = try scratch.file("fwmarkd.yaml", exampleFile)
            let program = Program(scratch, in: namespace)
            func run(_ line: String) throws -> End { try program.run("\(line) --config \(file) --socket \(scratch.path)") }

            let readiness = try Readiness(scratch.path + "/notify.sock")
            let daemon = try namespace.start(
                [
                    (Program.path as NSString).deletingLastPathComponent + "/fwmarkd", "--config", file, "--runtime-directory",
                    scratch.path, "--state-directory", scratch.path,
                ], environment: ["NOTIFY_SOCKET": readiness.path])
            try #require(readiness.wait(), "\(daemon.output)")

            let status = try run("status")
            #expect(status.status == 0, "\(status.errors)")
            #expect(status.output.contains("state    in sync") && status.output.contains("process \(daemon.process)"))
            #expect(try run("plan").status == 0)
            #expect(try run("reconcile").output == "nothing to do: the kernel has what the daemon wants\n")

            _ = try scratch.file("fwmarkd.yaml", exampleFile.replacingOccurrences(of: "mark: 21", with: "mark: 22"))
            let reload = try run("reload")
            #expect(reload.status == 0)
            #expect(reload.output.contains("--set-xmark 0x16/0xffffffff") && reload.output.contains("1 rule added, 1 rule removed"))
            #expect(try run("plan").status == 0)

            _ = try scratch.file("fwmarkd.yaml", exampleFile + "\nnonsense: 1\n")
            let refused = try run("reload")
            #expect(refused.status == 1 && refused.errors.contains("\(file):12:1: nonsense: "))
            #expect(try run("status").output.contains("error    \(file):12:1: nonsense: "))
            #expect(try run("remove").status == 1)

            // What is on the disk is shown as it is now, without a reload.
            func statusShows(_ text: String) throws -> Bool {
                // An answer is given again for 200 ms.
                for _ in 0..<100 { if try run("status").output.contains(text) { return true } }
                return false
            }
            let fragment = try scratch.file("conf.d/web.yml", "")
            #expect(try statusShows("\(fragment) is not read: its name does not end in .yaml"))
            #expect(try !run("status").output.contains("the file was changed"))
            _ = try scratch.file("fwmarkd.yaml", exampleFile)
            #expect(try statusShows("the file was changed "))
            let again = try run("reload")
            #expect(again.status == 0 && again.errors.contains("\(fragment) is not read"))
            #expect(try !run("status").output.contains("the file was changed"))
            _ = try scratch.file("conf.d/more.yaml", "services: []")
            #expect(try statusShows("the file was changed "))

            let events = try run("events --json").output.split(separator: "\n")
            let kinds = try events.map { try JSON.decode(Event.self, from: Array($0.utf8)).kind }
            #expect(kinds.contains(.started) && kinds.contains(.applied) && kinds.contains(.reloadRefused))
            #expect(try run("metrics").output.contains("\nfwmarkd_in_sync 1\n"))

            daemon.signal(SIGTERM)
            #expect(try daemon.wait() == 0)
            #expect(try run("status").status == 4)
            #expect(try run("remove").status == 0)
        }
    }
}

/// The socket that systemd would listen on (sd_notify(3)).
private final class Readiness {
    let path: String
    private let descriptor: CInt

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw Failure("\(path): \(String(cString: strerror(errno)))") }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Waits for READY=1; false when it does not come.
    func wait() -> Bool {
        var message = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &message, message.count, 0)
            guard count > 0 else { return false }
            if String(decoding: message[..<count], as: UTF8.self).contains("READY=1") { return true }
        }
    }
}
