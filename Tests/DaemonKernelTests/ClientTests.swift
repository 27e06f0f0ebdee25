// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Testing

private let python = "/usr/bin/python3"

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
                for _ in 1...10 {
                    try namespace.run("iptables-legacy", "-w", "-t", "mangle", "-D", "fwmarkd-mark", "1")
                    repairs.append(try judge.untilRight(seconds: 5))
                    let start = ContinuousClock.now
                    #expect(try Answer(of: daemon.files.controlSocket, "GET", Endpoint.status).code == 200)
                    #expect(try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reconcile).code == 200)
                    answers.append(start.duration(to: .now))
                    daemon.hearNotifications()
                    usleep(100_000)
                }
                let use = try daemon.use()
                clients.signal(SIGKILL)
                let (repair, answer) = (repairs.sorted(), answers.sorted())
                print(
                    "\(kind): repaired after \(repair[5]), at most \(repair[9]); root answered after \(answer[5]), at most \(answer[9]); "
                        + "\(use.resident >> 20) MiB, \(use.openFiles) files (debug build)")
                #expect(repair[8] < (isReleased ? .milliseconds(60) : .seconds(1)))
                #expect(answer[8] < (isReleased ? .milliseconds(100) : .seconds(1)))
                // Debug builds are larger.
                #expect(use.resident < (isReleased ? 64 : 128) << 20)
                #expect(use.openFiles < 600)
                #expect(try daemon.stop() == 0)
            }
        }
    }
}
