// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Netfilter
import Reconciler
import Rules
import Testing

/// A configuration of a thousand services and FTP with a translation, all in one variant of marks.
private func thousand(_ variant: Int, _ daemon: String = "") -> String {
    var text = daemon.isEmpty ? "" : "daemon: {\(daemon)}\n"
    text += "ftp:\n  - {name: ftp, mark: \(variant), addresses: [203.0.113.10], passive-ports: 10000-20000, "
    text += "active: {real-servers: [10.11.\(variant).0/24]}}\nservices:\n"
    for number in 0..<1000 {
        let mark = variant * 10000 + number
        text += "  - {name: s\(number), mark: \(mark), addresses: [198.18.\(number / 250).\(number % 250)], tcp: [80, 443]}\n"
    }
    return text
}

extension DaemonTests {
    @Suite("Storms")
    struct Storms {
        /// Runs the scripts until the time is over, has each come to its end, and returns what they complain of.
        private func run(_ scripts: [String], seconds: Int, in namespace: NetworkNamespace, environment: [String: String] = [:])
            throws -> [String]
        {
            let stop = namespace.directory.path + "/stop"
            let programs = try scripts.map { script in
                try namespace.start(["bash", "-c", "until [ -e \(stop) ]; do \(script)"], environment: environment)
            }
            sleep(UInt32(seconds))
            try Data().write(to: URL(fileURLWithPath: stop))
            for program in programs { #expect(try program.wait(seconds: 60) == 0) }
            try FileManager.default.removeItem(atPath: stop)
            return programs.flatMap { $0.output.split(separator: "\n").map(String.init) }
        }

        @Test("Four writers and a flusher who take the lock: their rules are there once each, ours are exact, repairs are bounded")
        func locked() async throws {
            try await NetworkNamespace.run { namespace in
                let text = thousand(1)
                let daemon = try Daemon.ready(in: namespace, text)
                var scripts = (1...3).map { number in
                    let rule =
                        "PREROUTING -p tcp --dport \(number) -m comment --comment writer\(number) -j MARK --set-mark \(number)"
                    return "iptables-legacy -w -t mangle -A \(rule); iptables-legacy -w -t mangle -D \(rule); done; "
                        + "iptables-legacy -w -t mangle -A \(rule)"
                }
                let restore = "POSTROUTING -o eth4 -m comment --comment writer4 -j MASQUERADE"
                func restoring(_ option: String) -> String {
                    "printf '*nat\\n\(option) \(restore)\\nCOMMIT\\n' | iptables-legacy-restore -w --noflush"
                }
                scripts.append("\(restoring("-A")); \(restoring("-D")); done; \(restoring("-A"))")
                scripts.append("iptables-legacy -w -t mangle -F fwmarkd-mark; sleep 0.2; done")
                let complaints = try run(scripts, seconds: isLong ? 60 : 20, in: namespace)
                #expect(complaints == [])
                #expect(daemon.program.isRunning)

                let (code, output) = try daemon.files.control("reconcile")
                #expect(code == 0, "\(output)")
                try expectExactly(text, in: namespace)
                let foreign = try SavedTables(.ipv4, in: namespace).foreign
                for number in 1...4 {
                    #expect(foreign.filter { $0.text.contains("--comment writer\(number) ") }.count == 1, "writer \(number)")
                }
                #expect(foreign.count == 4)
                let events = try daemon.events()
                let repairs = events.filter { $0.kind == .repaired }.count
                print("storm: \(repairs) repairs, \(events.count) events")
                #expect(repairs >= 20, "repairs go on")
                #expect(events.contains { $0.kind == .contended })
                #expect(try daemon.stop() == 0)
            }
        }

        @Test("A writer who skips the lock: ours end exact, and nothing crashes")
        func unlocked() async throws {
            try await NetworkNamespace.run { namespace in
                let text = thousand(1, "check-interval: 100ms")
                let daemon = try Daemon.ready(in: namespace, text)
                let rule = "PREROUTING -p tcp --dport 1 -m comment --comment writer -j MARK --set-mark 1"
                let another = ["XTABLES_LOCKFILE": namespace.directory.path + "/another.lock"]
                // What the kernel refuses because the table has changed meanwhile is part of the game.
                _ = try run(
                    [
                        "iptables-legacy -t mangle -A \(rule); iptables-legacy -t mangle -D fwmarkd-mark 1; "
                            + "iptables-legacy -t mangle -D \(rule); done; true"
                    ], seconds: isLong ? 60 : 10, in: namespace, environment: another)
                #expect(daemon.program.isRunning)
                #expect(try daemon.files.control("reconcile").status == 0)
                try expectExactly(text, in: namespace)
                #expect(try daemon.stop() == 0)
            }
        }
    }

    @Suite("Kills")
    struct Kills {
        @Test(
            "SIGKILL at random moments of applying and reloading: every table has the old or the new rules whole, the state file is readable"
        )
        func kills() async throws {
            try await NetworkNamespace.run { namespace in
                let texts = [thousand(1), thousand(2)]
                let rulesets = try texts.map { try ruleset(of: $0) }
                let reconciler = namespace.reconciler().0
                let files = Daemon.Files(namespace: namespace)
                let start = ContinuousClock.now
                var daemon = try Daemon.ready(in: namespace, texts[0])
                let boot = start.duration(to: .now)
                let reloadStart = ContinuousClock.now
                try files.write(texts[1])
                try daemon.hangUp()
                let reload = reloadStart.duration(to: .now)
                try daemon.kill()
                var random = SeededRandom(seed: 300)
                var mixed = 0
                var inForce = 1
                for round in 1...(isLong ? 300 : 40) {
                    // The file asks for what is not in the kernel; on every second round while the daemon runs already.
                    let wanted = 1 - inForce
                    let isReload = round % 2 == 0
                    if isReload {
                        daemon = try Daemon.ready(in: namespace, texts[inForce])
                        try files.write(texts[wanted])
                        daemon.program.signal(SIGHUP)
                    } else {
                        try files.write(texts[wanted])
                        daemon = try Daemon(in: namespace)
                    }
                    // Up to a fifth longer than it takes, so that the end is met as well.
                    let longest = (isReload ? reload : boot).microseconds * 1.2
                    usleep(UInt32(Double.random(in: 0..<longest, using: &random)))
                    try daemon.kill()

                    var found: Set<Int> = []
                    for id in TableID.ours {
                        let snapshot = try KernelTables().snapshot(id)
                        let matching = [inForce, wanted].filter { index in
                            TableDifference(id, from: snapshot, to: .init(rulesets[index], id), hookPosition: .first).isEmpty
                        }
                        #expect(matching.count > 0, "round \(round): \(id) is neither old nor new")
                        // Tables that are the same in both tell nothing.
                        if matching.count == 1 { found.formUnion(matching) }
                    }
                    if found.count > 1 { mixed += 1 }
                    inForce = found.count == 1 ? found.first ?? inForce : inForce
                    let kept = try Data(contentsOf: URL(fileURLWithPath: files.state + "/last-good.json"))
                    let isReadable = (try? JSONSerialization.jsonObject(with: kept)) != nil
                    #expect(isReadable, "round \(round): the state file is broken")
                }
                print("kills: \(mixed) rounds ended between two tables' commits; boot \(boot), reload \(reload)")
                daemon = try Daemon.ready(in: namespace, texts[0])
                #expect(try reconciler.difference(to: rulesets[0]).changes == [])
                #expect(try daemon.stop() == 0)
            }
        }
    }

    @Suite("Sockets under abuse")
    struct Abuse {
        @Test(
            "Half requests, slow ones, huge ones, noise, a thousand at once, and one who never reads: others are served within 100 ms"
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

                var open: [UnixSocket] = []
                for _ in 1...200 {
                    let half = try UnixSocket.connect(to: socket)
                    half.send(Array("GET /v1/sta".utf8))
                    open.append(half)
                }
                let slow = try UnixSocket.connect(to: socket)
                let slowText = Array(
                    "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: \(String(repeating: "a", count: 1000))".utf8)
                let silent = try UnixSocket.connect(to: socket)
                silent.send(Array(String(repeating: "GET /v1/rules HTTP/1.1\r\nHost: x\r\n\r\n", count: 5000).utf8), seconds: 1)
                let follower = try UnixSocket.connect(to: socket)
                follower.send(Array("GET /v1/events?follow=true HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
                for _ in 1...1000 { open.append(try UnixSocket.connect(to: socket)) }
                var random = SeededRandom(seed: 7)
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
                }

                var times: [Duration] = []
                for round in 0..<40 {
                    slow.send([slowText[round]])
                    let start = ContinuousClock.now
                    #expect(try daemon.status().state == .inSync)
                    times.append(start.duration(to: .now))
                }
                let during = try daemon.use()
                print(
                    "abuse: status after \(times.sorted()[20]) (median), \(times.max() ?? .zero) (longest); "
                        + "resident \(before.resident >> 10) KiB, then \(during.resident >> 10) KiB; files \(before.openFiles), then \(during.openFiles)"
                )
                #expect(times.sorted()[38] < .milliseconds(100))
                #expect(during.resident - before.resident < 128 << 20)

                // The reconciler goes on, and what may only be done on the other socket is still refused here.
                try namespace.run("iptables-legacy", "-t", "mangle", "-D", "fwmarkd-mark", "1")
                #expect(try namespace.untilRight(.ipv4, wanted) < .seconds(2))
                #expect(try Answer(of: socket, "POST", Endpoint.reload).code == 403)
                #expect(try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reconcile).code == 200)

                open = []
                _ = (silent, follower)
                let deadline = ContinuousClock.now + .seconds(10)
                while try daemon.use().openFiles > before.openFiles + 10, ContinuousClock.now < deadline { _ = try daemon.status() }
                #expect(try daemon.use().openFiles <= before.openFiles + 10, "connections are left over")
                #expect(try daemon.stop() == 0, "who holds a connection does not keep the daemon from stopping")
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
                var random = SeededRandom(seed: 9)
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

/// Expects that the namespace has the configuration's rules and no others of ours.
private func expectExactly(_ text: String, in namespace: NetworkNamespace) throws {
    let changes = try namespace.reconciler().0.difference(to: try ruleset(of: text)).changes
    #expect(changes == [], "\(changes.prefix(5).map(\.line))")
}

extension Duration {
    fileprivate var microseconds: Double { Double(components.seconds) * 1e6 + Double(components.attoseconds) / 1e12 }
}
