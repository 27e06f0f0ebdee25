// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Testing

let python = "/usr/bin/python3"

/// The middle one of several times, and the longest.
private struct Spread {
    let median: Duration
    let longest: Duration

    init(_ times: [Duration]) {
        let sorted = times.sorted()
        median = sorted[sorted.count / 2]
        longest = sorted[sorted.count - 1]
    }
}

extension DaemonKernelTests {
    @Suite("Clients cannot keep the daemon from its work")
    struct Clients {
        /// Opens connections until it has 4,200, again whenever one is closed, and reads nothing.
        private static let hostile = """
            import resource, socket, sys, time
            kind, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
            text = {
                "idle": b"", "half": b"GET /v1/sta",
                "followers": b"GET /v1/events?follow=true HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
                "unread": b"GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
            }[kind]
            resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
            clients, end = [], time.time() + seconds
            while time.time() < end:
                client = socket.socket(socket.AF_UNIX)
                client.setblocking(False)
                try:
                    client.connect(path)
                    if text:
                        client.send(text)
                    clients.append(client)
                except OSError:
                    time.sleep(0.005)
                if len(clients) > 4200:
                    clients = clients[100:]
            """

        @Test(
            "4,200 hostile clients of each kind: repaired in time, root is answered, memory stays, and nothing restarts",
            .enabled(if: FileManager.default.isExecutableFile(atPath: python), "needs python3"),
            arguments: ["idle", "half", "followers", "unread"])
        func hostile(_ kind: String) async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, ftp())
                let judge = try Judge(namespace)
                let clients = try namespace.start(
                    [python, "-c", Self.hostile, kind, daemon.files.statusSocket, "\(isLong ? 60 : 8)"])
                sleep(3)
                var (repairs, answers) = ([Duration](), [Duration]())
                for _ in 1...(isLong ? 200 : 10) {
                    try namespace.run("iptables-legacy", "-w", "-t", "mangle", "-D", "fwmarkd-mark", "1")
                    let deleted = Date.now
                    _ = try judge.untilRight(seconds: 5)
                    // As the daemon tells it: the judge's own programs take long beside such clients.
                    let repaired = try #require(try daemon.events(from: daemon.files.controlSocket).last { $0.kind == .repaired })
                    repairs.append(.seconds(repaired.time.timeIntervalSince(deleted)))
                    let start = ContinuousClock.now
                    #expect(try Answer(of: daemon.files.controlSocket, "GET", Endpoint.status).code == 200)
                    #expect(try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reconcile).code == 200)
                    answers.append(start.duration(to: .now))
                    daemon.hearNotifications()
                    usleep(100_000)
                }
                let use = try daemon.use()
                clients.signal(SIGKILL)
                let (repair, answer) = (Spread(repairs), Spread(answers))
                print(
                    "\(kind): repaired after \(repair.median), at most \(repair.longest); root answered after \(answer.median), at most \(answer.longest); "
                        + "\(use.resident >> 20) MiB, \(use.openFiles) files")
                // The clients take all of the processor that they get: medians, and bounds that a busy machine does not pass.
                #expect(
                    repair.median < (isReleased ? .milliseconds(60) : .milliseconds(200)) && repair.longest < .milliseconds(1100))
                #expect(
                    answer.median < (isReleased ? .milliseconds(100) : .milliseconds(200)) && answer.longest < .milliseconds(1100))
                // Debug builds are larger.
                #expect(use.resident < (isReleased ? 64 : 128) << 20)
                #expect(use.openFiles < 600)
                #expect(try daemon.stop() == 0)
            }
        }

        /// Connects to both ports without end, asks on every second connection, and leaves the newest open.
        private static let flood = """
            import socket, threading
            def connect(port):
                clients = []
                while True:
                    try:
                        client = socket.create_connection(("127.0.0.1", port), 1)
                        if len(clients) % 2:
                            client.send(b"GET /metrics HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
                        clients = clients[-50:] + [client]
                    except OSError:
                        pass
            for port in (9780, 9781) * 4:
                threading.Thread(target=connect, args=(port,)).start()
            """

        @Test(
            "http-listen changes again and again while clients come without end: nothing traps, and the last address answers",
            .enabled(if: FileManager.default.isExecutableFile(atPath: python), "needs python3"))
        func changingAddress() async throws {
            try await NetworkNamespace.run { namespace in
                try namespace.run("ip", "link", "set", "lo", "up")
                let daemon = try Daemon.ready(in: namespace, ftp("http-listen: 127.0.0.1:9780"))
                let clients = try namespace.start([python, "-c", Self.flood])
                for round in 1...(isLong ? 100 : 30) {
                    try daemon.files.write(ftp("http-listen: 127.0.0.1:\(9780 + round % 2)"))
                    #expect(try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reload).code == 200)
                    usleep(50_000)
                }
                #expect(daemon.program.isRunning, "\(daemon.program.output)")
                clients.signal(SIGKILL)
                try daemon.wait { $0.servers.contains { $0.name == "http" && $0.isListening } }
                #expect(try namespace.run("curl", "-s", "http://127.0.0.1:9780/metrics").contains("fwmarkd_in_sync 1"))
                #expect(try daemon.stop() == 0)
            }
        }
    }
}
