// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Netfilter
import RandomNumbers
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

        @Test("Four writers and a flusher that take the lock: their rules are there once each, ours are exact, repairs are bounded")
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

        @Test("A writer that skips the lock: our rules are exact in the end, and nothing crashes")
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
                var random = SeededNumbers(300)
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

                    let found = try found(of: [inForce, wanted], rulesets, round)
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

        /// Which of the rulesets the tables have; each has one of them whole.
        private func found(of candidates: [Int], _ rulesets: [Ruleset], _ round: Int) throws -> Set<Int> {
            var found: Set<Int> = []
            for id in TableID.ours {
                let snapshot = try KernelTables().snapshot(id)
                let matching = candidates.filter { index in
                    TableDifference(id, from: snapshot, to: .init(rulesets[index], id), hookPosition: .first).isEmpty
                }
                #expect(matching.count > 0, "round \(round): \(id) is neither old nor new")
                // Tables that are the same in both tell nothing.
                if matching.count == 1 { found.formUnion(matching) }
            }
            return found
        }
    }
}

/// Expects that the namespace has the configuration's rules and no others of ours.
func expectExactly(_ text: String, in namespace: NetworkNamespace) throws {
    let changes = try namespace.reconciler().0.difference(to: try ruleset(of: text)).changes
    #expect(changes == [], "\(changes.prefix(5).map(\.line))")
}

extension Duration {
    fileprivate var microseconds: Double { Double(components.seconds) * 1e6 + Double(components.attoseconds) / 1e12 }
}
