// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Glibc
import Importer
import Planner
import RandomConfigurations
import Rules
import Testing

@Suite("Rules as a configuration")
struct ImportTests {
    private func load(_ text: String) throws -> Configuration {
        try Configuration.load([ConfigurationText(path: "imported.yaml", bytes: Array(text.utf8))]).configuration
    }

    @Test("Dumps become entries", arguments: ImportCase.every.indices)
    func entries(_ index: Int) throws {
        let test = ImportCase.every[index]
        let imported = ImportedRules(FoundRules(parsing: test.dump))
        let lines = imported.text.split(separator: "\n", omittingEmptySubsequences: false)
        let entries = lines.drop { $0.hasPrefix("#") || $0.isEmpty }.prefix { !$0.hasPrefix("#") }.joined(separator: "\n")
        let wanted = test.entries
        #expect(entries.trimmingEnd == wanted.trimmingEnd, "\(test.name):\n\(imported.text)")
        #expect(imported.leftovers.reduce(0) { $0 + $1.rules.count } == test.leftover, "\(test.name):\n\(imported.text)")
        // What is printed is accepted, and means what was meant.
        #expect(try load(imported.text) == imported.configuration, "\(test.name)")
    }

    @Test("Applied in place of the originals, no packet changes", arguments: ImportCase.every.indices)
    func proof(_ index: Int) throws {
        let test = ImportCase.every[index]
        let found = FoundRules(parsing: test.dump)
        let imported = ImportedRules(found)
        let tables = found.tables.mapValues { chains in
            chains.map { Chain($0.name, policy: Hook(chain: $0.name) == nil ? nil : .accept, $0.rules.map(\.rule)) }
        }
        let ruleset = Planner.plan(for: imported.configuration).ruleset
        do {
            let proof = try AdoptionProof(
                ruleset, replacing: imported.originals, in: tables, hookPosition: imported.configuration.daemon.hookPosition)
            #expect(proof.staying.isEmpty, "\(test.name)")
        } catch {
            Issue.record("\(test.name): \(error)")
        }
    }

    @Test("CRLF, counters and a byte order mark change nothing", arguments: ImportCase.every.indices)
    func lineEnds(_ index: Int) {
        let plain = ImportCase.every[index].dump
        guard !plain.contains("\"") else { return }
        let other = "\u{feff}" + plain.replacing("\n-A ", with: "\r\n[12:720] -A ").replacing("COMMIT\n", with: "COMMIT\r\n")
        #expect(ImportedRules(FoundRules(parsing: other)).configuration == ImportedRules(FoundRules(parsing: plain)).configuration)
    }

    @Test("Commands of a script are read as well, and other lines are listed")
    func commands() {
        let script = """
            #!/bin/sh
            iptables -t nat    -A POSTROUTING -p tcp -s 10.11.12.0/24 --sport 20 -j MASQUERADE
            iptables -w 5 -t mangle -A PREROUTING  -p tcp -d 203.0.113.10/32 --dport 21 -j MARK --set-mark 21
            /sbin/iptables -t mangle -A PREROUTING  -p tcp -d 203.0.113.10/32 --dport 10000:20000 -j MARK --set-mark 21
            iptables -t mangle -I PREROUTING -9223372036854775808 -j DROP
            echo done
            """
        let imported = ImportedRules(FoundRules(parsing: script))
        #expect(imported.configuration == ImportedRules(FoundRules(parsing: ImportCase.all[0].dump)).configuration)
        #expect(imported.strayLines.map(\.number) == [5, 6])
    }

    @Test("In a script several commands may be on a line, and one on several; what is flushed or deleted is gone")
    func script() {
        let script = """
            iptables -t mangle -A PREROUTING -p udp -j MARK --set-mark 9; iptables -t mangle -F  # from scratch
            iptables -t nat -A POSTROUTING \\
                -p tcp -s 10.11.12.0/24 --sport 20 -j MASQUERADE && echo done
            iptables -t mangle -A PREROUTING -d 203.0.113.9 -p tcp --dport 1 -j MARK --set-mark 9
            iptables -t mangle -A PREROUTING -p tcp -d 203.0.113.10/32 --dport 21 -m comment --comment $'a\\n; b' -j MARK --set-mark 21
            iptables -t mangle -A PREROUTING  -p tcp -d 203.0.113.10/32 --dport 10000:20000 -j MARK --set-mark 21 # passive
            iptables -t mangle -D PREROUTING -d 203.0.113.9 -p tcp --dport 1 -j MARK --set-mark 9
            """
        let imported = ImportedRules(FoundRules(parsing: script))
        #expect(imported.configuration == ImportedRules(FoundRules(parsing: ImportCase.all[0].dump)).configuration)
        #expect(imported.strayLines.map(\.number) == [3])
    }

    @Test("Parts of a text without a head are each of the family of their addresses")
    func parts() {
        let four = ImportCase.all[0].dump
        let six = "*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 2001:db8::1/128 -p tcp -j MARK --set-mark 6\nCOMMIT\n"
        let found = FoundRules(parsing: four + "\n" + six)
        #expect(Set(found.tables.keys) == [TableID(.ipv4, .mangle), TableID(.ipv4, .nat), TableID(.ipv6, .mangle)])
        #expect(ImportedRules(found).leftovers.isEmpty)
    }

    @Test("A comment that mentions ip6tables does not make IPv6 of IPv4")
    func mention() {
        let dump = "# the IPv6 part is in ip6tables.rules\n" + ImportCase.all[0].dump
        #expect(FoundRules(parsing: dump).tables.keys.allSatisfy { $0.family == .ipv4 })
    }

    @Test("What is planned for a random configuration is understood whole, and plans to the same again", arguments: 0..<60)
    func ownRules(_ seed: UInt64) throws {
        var random = RandomConfiguration(seed: seed, isCrowded: false, words: .all)
        let ruleset = Planner.plan(for: random.configuration(services: 8, masquerades: 8, allowsConflicts: false), layout: .plain)
            .ruleset
        for (id, chains) in ruleset.tables {
            var text = id.family == .ipv4 ? "# Generated by iptables-save\n" : "# Generated by ip6tables-save\n"
            text += "*\(id.table)\n"
            for chain in chains { text += ":\(chain.name) - [0:0]\n" }
            for chain in chains {
                for rule in chain.rules { text += "-A \(chain.name) \(rule.iptablesSyntax)\n" }
            }
            let found: [FoundChain] = FoundRules(parsing: text + "COMMIT\n").tables[id] ?? []
            let rules: [Rule] = found.flatMap { $0.rules.map(\.rule) }
            let wanted: [Rule] = chains.flatMap(\.rules)
            #expect(rules == wanted, "seed \(seed)")
        }
    }

    @Test("Thousands of rules are sorted in time that grows little faster than they do")
    func cost() {
        let nested = (0..<5000).map { "-A \($0 == 0 ? "PREROUTING" : "C\($0)") -j C\($0 + 1)" }
        let overriding = (0..<5000).map { "-A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 80 -j MARK --set-mark \($0 + 1)" }
        let inside = (0..<5000).map {
            "-A PREROUTING -d 203.0.113.0/24 -p tcp -m tcp --dport \($0 + 1):\(60_000 - $0) -j MARK --set-mark \($0 % 900 + 6000)"
        }
        let services = (0..<4000).flatMap { number in
            [
                "-A KUBE-SERVICES -d 10.96.\(number >> 8).\(number & 255)/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-\(number)",
                "-A KUBE-SVC-\(number) -m statistic --mode random --probability 0.5 -j KUBE-MARK-MASQ",
                "-A KUBE-SVC-\(number) -j DNAT --to-destination 10.0.0.1:80",
            ]
        }
        let dump =
            "*mangle\n:PREROUTING ACCEPT [0:0]\n" + (1...5000).map { ":C\($0) - [0:0]\n" }.joined()
            + (nested + overriding + inside).joined(separator: "\n")
            + "\nCOMMIT\n*nat\n:POSTROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n"
            + (0..<4000).map { ":KUBE-SVC-\($0) - [0:0]\n" }.joined() + "-A POSTROUTING -j KUBE-SERVICES\n"
            + services.joined(separator: "\n") + "\nCOMMIT\n"
        // Processor time of this thread: other work on the machine does not count.
        func used() -> Duration {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        }
        let start = used()
        let imported = ImportedRules(FoundRules(parsing: dump))
        let took = used() - start
        print("14,000 marks and 4,000 services of kube-proxy: \(took)")
        #expect(imported.configuration.services.map(\.mark.value) == Array(6000..<6900))
        // Half a second as released; this is the debug build.
        #expect(took < .seconds(20))
    }
}

extension String {
    fileprivate var trimmingEnd: Substring {
        var rest = self[...]
        while rest.last == "\n" { rest.removeLast() }
        return rest
    }
}
