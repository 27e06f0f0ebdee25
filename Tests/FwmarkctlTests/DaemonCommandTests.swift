// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import NIOHTTP1
import NamespaceSupport
import Rules
import Testing

@testable import fwmarkctl

@Suite("Commands that ask the daemon")
struct DaemonCommandTests {
    private let program: Program
    private var scratch: Scratch { program.scratch }

    init() throws { program = Program(try Scratch()) }

    private func run(_ line: String, _ answers: FakeDaemon.Answers) throws -> End {
        let daemon = try FakeDaemon(scratch, answers)
        defer { daemon.stop() }
        return try program.run("\(line) --socket \(scratch.path)")
    }

    // MARK: - No daemon

    @Test(
        "Without a daemon the status is 4, and the message says how to start it",
        arguments: ["status", "status --watch", "status --json", "reload", "reconcile", "events", "events --follow", "metrics"])
    func noDaemon(_ line: String) throws {
        let socket = scratch.path + (line.hasPrefix("re") ? "/control.sock" : "/status.sock")
        let none = try program.run("\(line) --socket \(scratch.path)")
        #expect(none.status == 4 && none.output == "")
        #expect(
            none.errors
                == "fwmarkctl: fwmarkd is not running (\(socket): No such file or directory); start it: systemctl start fwmarkd\n")
        // A socket's file that nobody listens on: a daemon that crashed.
        try FakeDaemon(scratch, [:]).stop()
        let crashed = try program.run("\(line) --socket \(socket)")
        #expect(crashed.status == 4)
        #expect(crashed.errors.contains("Connection refused"))
    }

    @Test("A director that cannot be reached is one line of the table, with the reason in the system's words")
    func directorGone() throws {
        let end = try program.run("status --host 127.0.0.1:1")
        #expect(end.status == 4)
        #expect(end.output.contains("no answer"))
        #expect(end.output.hasSuffix("\nfwmarkctl: http://127.0.0.1:1 cannot be reached: Connection refused\n"), "\(end.output)")
    }

    @Test("Users other than root can read, and are refused where a command acts", .enabled(if: geteuid() == 0, "needs root"))
    func notRoot() throws {
        let status = text(Samples.status)
        let daemon = try FakeDaemon(scratch, ["GET /v1/status": { $0.answer(200, status) }])
        defer { daemon.stop() }
        var nobody = Program(scratch)
        nobody.wrapper = Program.asNobody
        for command in ["reload", "reconcile"] {
            let end = try nobody.run("\(command) --socket \(scratch.path)")
            #expect(end.status == 1)
            #expect(
                end.errors == "fwmarkctl: this needs root: \(scratch.path)/control.sock is the superuser's (Permission denied)\n")
        }
        #expect(try nobody.run("status --socket \(scratch.path)").status == 0)
    }

    @Test(
        "An answer that breaks off, or cannot be decoded, is an error and never a crash",
        arguments: [
            ("", 4), ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", 4), ("nonsense\r\n\r\n", 4),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 1), ("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}", 1),
            ("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 1),
        ] as [(String, CInt)])
    func brokenAnswers(_ answer: String, _ status: CInt) throws {
        let end = try run("status", ["GET /v1/status": { $0.send(answer) }])
        #expect(end.status == status, "\(end.errors)")
        #expect(end.output == "")
        #expect(end.errorLines.count == 1 && end.errors.hasPrefix("fwmarkctl: "))
    }

    @Test("A daemon that does not answer is not waited for longer than was meant")
    func silence() async throws {
        let end = DispatchSemaphore(value: 0)
        let daemon = try FakeDaemon(scratch, ["GET /v1/status": { _ in _ = end.wait(timeout: .now() + 30) }])
        defer {
            end.signal()
            daemon.stop()
        }
        let client = DaemonClient(.reading, at: scratch.path)
        let error = await #expect(throws: fwmarkctl.Failure.self) {
            _ = try await client.send(.GET, "/v1/status", timeout: .milliseconds(1100))
        }
        #expect(error?.status == .failure)
        // Root asks on the socket that no other user can fill.
        let name = geteuid() == 0 ? "control" : "status"
        #expect(error?.lines == ["fwmarkctl: fwmarkd does not answer on \(scratch.path)/\(name).sock within 1 s"])
    }

    // MARK: - status

    @Test("status is laid out for people")
    func status() throws {
        let status = text(Samples.status)
        let end = try run("status", ["GET /v1/status": { $0.answer(200, status) }])
        #expect(end.status == 0 && end.errors == "")
        #expect(
            end.output == """
                state    in sync
                daemon   fwmarkd 0.1.0, process 4711, running for 3 d 4 h
                file     /etc/fwmarkd/fwmarkd.yaml, read 2026-11-25 12:00:00, sha256 0123456789ab
                kernel   ipv4 nat: 1 rule in 1 chain, beside 12 rules of others
                change   2026-11-25 12:00:01  reload: 3 changes, in 4.3 ms
                verified 2026-11-25 12:30:00

                SERVICE              MARK          ADDRESSES                         PORTS                   IN    AT          SERVERS  PACKETS    BYTES
                ftp                  21            203.0.113.10                      tcp/21,tcp/10000-20000  any   prerouting  -           1234  4.8 MiB
                a-long-name.example  0x100/0xff00  203.0.113.20,2001:db8:1234::5678  tcp/80,udp/443          eth0  prerouting  -              0      0 B

                TRANSLATION  SOURCES        PORTS   DESTINATIONS  OUT  TO          PACKETS  BYTES
                ftp          10.11.12.0/24  tcp/20  any           any  masquerade        7  420 B

                """)
    }

    @Test("status that is degraded exits 0, because the daemon serves, and says what is wrong")
    func troubled() throws {
        let status = text(Samples.troubled)
        let end = try run("status", ["GET /v1/status": { $0.answer(200, status) }])
        #expect(end.status == 0 && end.errors == "")
        let lines = end.output.split(separator: "\n").map(String.init)
        for line in [
            "change   2026-11-25 12:00:01  reload: failed: another program has the lock, in 4.3 ms",
            "error    /etc/fwmarkd/fwmarkd.yaml:3:5: ftp: not a list",
            "warning  ipv4 nat: another program's rule leads into our chain",
            "last     2026-11-25 12:31:00  the file is refused:\\nline by line",
        ] { #expect(lines.contains(line)) }
        let state = "state    degraded  the rules are those of the last good configuration; see fwmarkctl check"
        #expect(lines.first?.hasPrefix(state) == true)
    }

    @Test("status --json is the daemon's own answer, unknown members included", arguments: Status.State.allCases)
    func statusJSON(_ state: Status.State) throws {
        var status = Samples.status
        status.state = state
        let answer = text(status).replacingOccurrences(of: "{\"configuration\"", with: "{\"aNewMember\":1,\"configuration\"")
        let end = try run("status --json", ["GET /v1/status": { $0.answer(200, answer) }])
        #expect(end.output == answer + "\n")
        #expect(end.status == (state == .inSync || state == .degraded ? 0 : 3))
    }

    @Test("status --watch draws again and again, with rates; counters that went back have none")
    func watch() throws {
        let statuses = [1000, 3000, 0].map { (packets: UInt64) in
            var status = Samples.status
            status.services[0].packets = packets
            status.services[0].bytes = packets * 100
            return text(status)
        }
        let daemon = try FakeDaemon(scratch, ["GET /v1/status": { $0.answer(200, statuses[min($0.earlier, 2)]) }])
        defer { daemon.stop() }
        let pipe = Pipe.ofOurs
        let words = ["status", "--watch", "--socket", scratch.path]
        let process = try program.start(words, into: pipe)
        var reader = LineReader(pipe)
        var rows: [[Substring]] = []
        while rows.count < 3, let line = reader.next() {
            if line.hasPrefix("ftp ") && line.contains("tcp/21") { rows.append(line.split(separator: " ")) }
        }
        process.terminate()
        process.wait()
        try #require(rows.count == 3)
        #expect(rows[0].suffix(3) == ["KiB", "-", "-"])
        // 2,000 packets in about a second, on a machine that may be busy.
        let rate = try #require(rows[1].dropLast(2).last.flatMap { Double($0) })
        #expect((100...20_000).contains(rate))
        #expect(rows[1].last == "KiB")
        #expect(rows[2].suffix(2) == ["-", "-"])
    }

    // MARK: - Acting

    @Test("reload and reconcile print what changed", arguments: ["reload", "reconcile"])
    func acts(_ command: String) throws {
        let answer = text(Samples.reconciliation)
        let end = try run(command, ["POST /v1/\(command)": { $0.answer(200, answer) }])
        #expect(end.status == 0)
        #expect(
            end.output == """
                + iptables-legacy -t nat -N fwmarkd-nat
                - iptables moved
                + iptables moved
                2 changes: 1 chain added, 1 rule removed, in 1.2 ms

                """)
        #expect(end.errorLines == ["fwmarkctl: warning: something to know"])
    }

    @Test("reload --json is the daemon's answer")
    func actsJSON() throws {
        let answer = text(Samples.reconciliation)
        let end = try run("reload --json", ["POST /v1/reload": { $0.answer(200, answer) }])
        #expect(end.status == 0 && end.output == answer + "\n" && end.errors == "")
    }

    @Test("A refused reload prints every error and exits 1", arguments: [false, true])
    func refused(_ asJSON: Bool) throws {
        let errors = (1...3).map { FileError(file: "f", line: $0, column: 1, path: "ftp", message: "p") }
        let answer = text(Problem.refused(errors))
        let end = try run(
            "reload\(asJSON ? " --json" : "")", ["POST /v1/reload": { $0.answer(422, answer, type: Problem.mediaType) }])
        #expect(end.status == 1)
        #expect(end.output == (asJSON ? answer + "\n" : ""))
        let lines = [
            "fwmarkctl: The configuration is refused: 3 errors; the rules in the kernel are unchanged",
            "f:1:1: ftp: p", "f:2:1: ftp: p", "f:3:1: ftp: p",
        ]
        #expect(end.errorLines == (asJSON ? [] : lines))
    }

    @Test("A reconciliation that failed exits 1 with the reason")
    func failed() throws {
        let answer = text(Problem.failed("the lock was never free"))
        let end = try run("reconcile", ["POST /v1/reconcile": { $0.answer(500, answer) }])
        #expect(end.status == 1 && end.output == "")
        #expect(end.errorLines == ["fwmarkctl: The rules could not be applied: the lock was never free"])
    }

    // MARK: - events and metrics

    @Test("events are printed with their changes")
    func events() throws {
        let lines = Samples.events.map { text($0) + "\n" }
        let answers: FakeDaemon.Answers = [
            // The second event comes in two pieces, cut in the middle.
            "GET /v1/events": { connection in
                connection.beginChunks()
                connection.chunk(lines[0] + lines[1].prefix(20))
                connection.chunk(String(lines[1].dropFirst(20)))
                connection.chunk("")
            }
        ]
        let end = try run("events", answers)
        #expect(end.status == 0 && end.errors == "")
        #expect(
            end.output == """
                2026-11-25 12:00:00  started         fwmarkd 0.1.0 started with f
                2026-11-25 12:00:01  drift           the kernel differs
                    + iptables one
                    - two

                """)
    }

    @Test("events --follow prints each event when it happens, and exits 4 when the daemon goes away", arguments: [false, true])
    func follow(_ breaksOff: Bool) throws {
        let lines = Samples.events.map { text($0) + "\n" }
        let isSeen = DispatchSemaphore(value: 0)
        let answers: FakeDaemon.Answers = [
            "GET /v1/events?follow=true": { connection in
                connection.beginChunks()
                connection.chunk(lines[0])
                _ = isSeen.wait(timeout: .now() + 30)
                connection.chunk(lines[1])
                if !breaksOff { connection.chunk("") }
            }
        ]
        let daemon = try FakeDaemon(scratch, answers)
        defer { daemon.stop() }
        let pipe = Pipe.ofOurs
        let words = ["events", "--follow", "--json", "--socket", scratch.path]
        let process = try program.start(words, into: pipe)
        var reader = LineReader(pipe)
        #expect(reader.next().map { $0 + "\n" } == lines[0])
        isSeen.signal()
        #expect(reader.next().map { $0 + "\n" } == lines[1])
        #expect(process.wait() == (breaksOff ? 4 : 0))
    }

    @Test("metrics are passed on byte by byte")
    func metrics() throws {
        let body = "# HELP fwmarkd_in_sync x\nfwmarkd_in_sync 1\n"
        let end = try run("metrics", ["GET /metrics": { $0.answer(200, body, type: "text/plain") }])
        #expect(end.status == 0 && end.output == body)
    }
}

/// The message as JSON on one line.
func text(_ message: some Encodable) -> String { String(decoding: JSON.encode(message), as: UTF8.self) }
