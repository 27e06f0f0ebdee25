// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import RandomNumbers
import Rules
import Testing

extension DaemonTests {
    @Suite("Sockets under abuse")
    struct Abuse {
        @Test(
            "Half requests, slow ones, huge ones, noise, a thousand at once, and one who never reads: root is served within 100 ms"
        )
        func abuse() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(
                    in: namespace,
                    try String(contentsOf: repository.appendingPathComponent("Configs/examples/ftp.yaml"), encoding: .utf8))
                let wanted = try namespace.saved(.ipv4)
                let socket = daemon.files.statusSocket
                raiseOpenFilesLimit()
                for _ in 1...20 { _ = try daemon.status() }
                let before = try daemon.use()
                let slow = try UnixSocket.connect(to: socket)
                let open = try abusers(of: socket)
                let times = try answers(daemon, slow)
                let during = try daemon.use()
                print(
                    "abuse: status after \(times.sorted()[20]) (median), \(times.max() ?? .zero) (longest); "
                        + "resident \(before.resident >> 10) KiB, then \(during.resident >> 10) KiB; files \(before.openFiles), then \(during.openFiles)"
                )
                #expect(times.sorted()[38] < .milliseconds(100))
                #expect(during.resident - before.resident < 64 << 20)
                #expect(during.openFiles < before.openFiles + 300, "further ones wait outside")

                // The reconciler goes on.
                try namespace.run("iptables-legacy", "-t", "mangle", "-D", "fwmarkd-mark", "1")
                #expect(try namespace.untilRight(.ipv4, wanted) < .seconds(2))
                #expect(try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reconcile).code == 200)

                for client in open + [slow] { client.hangUp() }
                let deadline = ContinuousClock.now + .seconds(10)
                while try daemon.use().openFiles > before.openFiles + 10, ContinuousClock.now < deadline { usleep(20_000) }
                #expect(try daemon.use().openFiles <= before.openFiles + 10, "connections are left over")
                // What may only be done on the other socket is still refused on this one.
                #expect(try Answer(of: socket, "POST", Endpoint.reload).code == 403)
                #expect(try daemon.stop() == 0, "who holds a connection does not keep the daemon from stopping")
            }
        }

        /// Clients of every bad kind, and then as many connections as there is room for.
        private func abusers(of socket: String) throws -> [UnixSocket] {
            var open: [UnixSocket] = []
            for _ in 1...100 {
                let half = try UnixSocket.connect(to: socket)
                half.send(Array("GET /v1/sta".utf8))
                open.append(half)
            }
            let silent = try UnixSocket.connect(to: socket)
            silent.send(Array(String(repeating: "GET /v1/rules HTTP/1.1\r\nHost: x\r\n\r\n", count: 5000).utf8), seconds: 1)
            let follower = try UnixSocket.connect(to: socket)
            follower.send(Array("GET /v1/events?follow=true HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
            open += [silent, follower]
            var random = SeededNumbers(7)
            for _ in 1...50 {
                let noise = try UnixSocket.connect(to: socket)
                noise.send((0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) }, seconds: 0.2)
                open.append(noise)
            }
            let huge = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
            for _ in 1...4 {
                let client = try UnixSocket.connect(to: socket)
                client.send(Array("GET /v1/status HTTP/1.1\r\nX-Huge: ".utf8))
                // Refused long before the 16 MiB are over.
                var sent = 0
                for _ in 1...16 {
                    let count = client.send(huge, seconds: 0.5)
                    sent += count
                    if count < huge.count { break }
                }
                #expect(sent < 16 << 20, "a header of 16 MiB was taken")
                open.append(client)
            }
            // More than the daemon takes, and more than wait in the kernel's queue.
            for _ in 1...1000 { if let idle = try? UnixSocket.connect(to: socket, waits: false) { open.append(idle) } }
            return open
        }

        /// How long root waits for each of 40 answers, while another client sends its request byte by byte.
        private func answers(_ daemon: Daemon, _ slow: UnixSocket) throws -> [Duration] {
            let text = Array("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: aaaaaaaaaaaaaaaa".utf8)
            return try (0..<40).map { round in
                slow.send([text[round]])
                let start = ContinuousClock.now
                let answer = try Answer(of: daemon.files.controlSocket, "GET", Endpoint.status)
                #expect(answer.code == 200)
                return start.duration(to: .now)
            }
        }

        @Test("The sockets' modes: everybody may read, the superuser alone may act")
        func modes() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, "services: []\n")
                func mode(_ path: String) throws -> Int? {
                    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                }
                #expect(try mode(daemon.files.statusSocket) == 0o666)
                #expect(try mode(daemon.files.controlSocket) == 0o600)
                #expect(try mode(daemon.files.state + "/last-good.json") == 0o600)
                for (path, method) in [("/v1/nothing", "GET"), ("/v1/status", "DELETE"), ("/v1/events?follow=perhaps", "GET")] {
                    let answer = try Answer(of: daemon.files.statusSocket, method, path)
                    #expect((400..<500).contains(answer.code))
                    #expect(answer.head.lowercased().contains("content-type: application/problem+json"), "\(answer.head)")
                }
            }
        }
    }

    @Suite("Soak")
    struct Soak {
        @Test("Reloads, damage and clients: memory and open files stay as they are")
        func soak() async throws {
            try await NetworkNamespace.run { namespace in
                func text(_ variant: Int) -> String {
                    everyday.replacing("mark: 80", with: "mark: \(80 + variant)")
                }
                let daemon = try Daemon.ready(in: namespace, text(0))
                // Four clients who ask without a pause but for the answer.
                let client =
                    "while :; do curl -sf --max-time 5 --unix-socket \(daemon.files.statusSocket) http://x/v1/status >/dev/null || echo failed; sleep 0.5; done"
                let clients = try (1...4).map { _ in try namespace.start(["bash", "-c", client]) }
                let damage = [
                    "-t mangle -D fwmarkd-mark 1", "-t mangle -F fwmarkd-mark", "-t nat -D fwmarkd-nat 1",
                    "-t mangle -A PREROUTING -p tcp --dport 1 -j ACCEPT", "-t mangle -D PREROUTING -p tcp --dport 1 -j ACCEPT",
                ]
                var random = SeededNumbers(9)
                var samples: [(resident: Int, openFiles: Int)] = []
                let seconds = isLong ? 3600 : 60
                for second in 1...seconds {
                    try daemon.files.write(text(second % 2))
                    let (code, output) = try daemon.files.control("reload")
                    #expect(code == 0, "\(output)")
                    if Int.random(in: 0..<3, using: &random) == 0, let words = damage.randomElement(using: &random) {
                        _ = try namespace.end(of: ["iptables-legacy"] + words.split(separator: " ").map(String.init))
                    }
                    samples.append(try daemon.use())
                    daemon.hearNotifications()
                    usleep(900_000)
                }
                for client in clients {
                    client.signal(SIGKILL)
                    #expect(!client.output.contains("failed"))
                }
                let early = samples[seconds / 4..<seconds / 2]
                let late = samples[(seconds - seconds / 4)...]
                let residents = (early.map(\.resident).max() ?? 0, late.map(\.resident).max() ?? 0)
                let files = (early.map(\.openFiles).max() ?? 0, late.map(\.openFiles).max() ?? 0)
                print(
                    "soak: resident \(residents.0 >> 10) KiB, at the end \(residents.1 >> 10) KiB; files \(files.0), at the end \(files.1)"
                )
                #expect(residents.1 - residents.0 < 2 << 20)
                #expect(files.1 <= files.0 + 4)
                #expect(try daemon.files.control("reconcile").status == 0)
                try expectExactly(text(seconds % 2), in: namespace)
                #expect(try daemon.stop() == 0)
            }
        }
    }
}

/// Makes room for the sockets of a thousand clients in this process.
private func raiseOpenFilesLimit() {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = min(limit.rlim_max, 8192)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
