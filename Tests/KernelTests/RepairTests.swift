// SPDX-License-Identifier: GPL-2.0-or-later
import NamespaceSupport
import RandomNumbers
import Reconciler
import Rules
import Testing

/// Something that another program does to the tables.
struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Arguments of iptables-legacy, or with `<` before it the input of iptables-legacy-restore.
    let steps: [String]

    init(_ name: String, _ steps: String...) {
        testDescription = name
        self.steps = steps
    }

    func happen(_ family: Family, in namespace: NetworkNamespace) throws {
        for step in steps {
            let text = step.replacing("VIP", with: family == .ipv4 ? "203.0.113.10" : "2001:db8::10")
            if text.hasPrefix("<") {
                try namespace.run("\(family.command)-legacy-restore", "-c", input: String(text.dropFirst()))
            } else {
                try namespace.run(["\(family.command)-legacy"] + text.split(separator: " ").map(String.init))
            }
        }
    }
}

private let damages = [
    Damage("one rule deleted", "-t mangle -D fwmarkd-mark 2"),
    Damage("the first rule deleted", "-t mangle -D fwmarkd-mark 1"),
    Damage("the only translation of a service deleted", "-t nat -D fwmarkd-nat 1"),
    Damage(
        "one rule edited, its comment kept",
        "-t mangle -R fwmarkd-mark 1 -d VIP -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp -j MARK --set-mark 22"
    ),
    Damage("a mask edited", "-t mangle -R fwmarkd-mark 1 -d VIP -p tcp -m comment --comment ftp -j MARK --set-xmark 0x15/0xff"),
    Damage("a rule put between", "-t mangle -I fwmarkd-mark 2 -p tcp --dport 22 -j ACCEPT"),
    Damage("a rule doubled", "-t nat -A fwmarkd-nat -j RETURN", "-t nat -I fwmarkd-nat 1 -j RETURN"),
    Damage(
        "order swapped", "-t mangle -D fwmarkd-mark 1",
        "-t mangle -A fwmarkd-mark -d VIP -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp -j MARK --set-mark 21"
    ),
    Damage("a chain flushed", "-t mangle -F fwmarkd-mark"),
    Damage("a chain renamed", "-t nat -E fwmarkd-nat fwmarkd-old"),
    Damage("the jump removed", "-t mangle -D PREROUTING -j fwmarkd-mark"),
    Damage(
        "the jump narrowed", "-t nat -D POSTROUTING -j fwmarkd-nat",
        "-t nat -A POSTROUTING -p udp -j fwmarkd-nat"),
    Damage("the jump doubled", "-t mangle -A PREROUTING -j fwmarkd-mark"),
    Damage("a chain of our name added", "-t mangle -N fwmarkd-other", "-t mangle -A fwmarkd-other -j DROP"),
    Damage(
        "a neighbour's rules changed at the same time", "-t mangle -D theirs 1", "-t mangle -I PREROUTING 1 -j theirs",
        "-t mangle -D fwmarkd-mark 3"),
    Damage("-F in mangle", "-t mangle -F"),
    Damage("-F and -X in both tables", "-t mangle -F", "-t mangle -X", "-t nat -F", "-t nat -X"),
    Damage(
        "a restore of something else",
        """
        <*mangle
        :PREROUTING ACCEPT [0:0]
        :another - [0:0]
        [41:4100] -A PREROUTING -j another
        [42:4200] -A another -m mark --mark 0x1 -j ACCEPT
        COMMIT
        *nat
        :POSTROUTING ACCEPT [0:0]
        [43:4300] -A POSTROUTING -o eth3 -j MASQUERADE
        COMMIT

        """),
    Damage("an empty restore", "<*nat\nCOMMIT\n*mangle\nCOMMIT\n"),
]

@Suite(
    "Whatever other programs do to our rules is repaired, and nothing of theirs is touched",
    .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct RepairTests {
    @Test("Repaired:", arguments: damages, Family.allCases)
    func repaired(_ damage: Damage, _ family: Family) async throws {
        try await NetworkNamespace.run { namespace in
            try namespace.run("\(family.command)-legacy-restore", "-c", input: neighbours)
            let wanted = try ruleset(of: everyday)
            let (reconciler, commits) = namespace.reconciler()
            _ = try await reconciler.reconcile(to: wanted)
            try namespace.giveCounters(family)
            let right = try SavedTables(family, in: namespace)

            try damage.happen(family, in: namespace)
            let damaged = try SavedTables(family, in: namespace)
            #expect(damaged != right, "the damage did nothing")
            let before = commits.value
            let outcome = try await reconciler.reconcile(to: wanted)
            #expect(outcome.changes.count > 0)
            #expect(commits.value > before && commits.value <= before + 2, "one commit for each table that differs")

            let repaired = try SavedTables(family, in: namespace)
            #expect(repaired.ours.map(\.withoutCounters) == right.ours.map(\.withoutCounters))
            #expect(repaired.foreign == damaged.foreign)
            #expect(repaired.foreignChains == damaged.foreignChains)
            // What was still there keeps what it had counted; only what had to be put in begins at nothing.
            var left = damaged.ours.map { "\($0.text) \($0.counters)" }
            for rule in repaired.ours where rule.counters != "0:0" {
                let place = left.firstIndex(of: "\(rule.text) \(rule.counters)")
                #expect(place != nil, "\(rule) has counters from nowhere")
                if let place { left.remove(at: place) }
            }
            let lost = left.filter { line in repaired.ours.contains { $0.counters == "0:0" && line.hasPrefix($0.text + " ") } }
            #expect(lost.filter { !$0.hasSuffix(" 0:0") } == [], "counters were lost")

            let settled = commits.value
            #expect(try await reconciler.reconcile(to: wanted).changes == [])
            #expect(commits.value == settled, "nothing differs, so nothing is committed")
        }
    }

    @Test("Removal takes out everything of ours and nothing else", arguments: Family.allCases)
    func removal(_ family: Family) async throws {
        try await NetworkNamespace.run { namespace in
            try namespace.run("\(family.command)-legacy-restore", "-c", input: neighbours)
            let before = try SavedTables(family, in: namespace)
            let (reconciler, _) = namespace.reconciler()
            _ = try await reconciler.reconcile(to: try ruleset(of: everyday))
            #expect(try SavedTables(family, in: namespace) != before)
            _ = try await reconciler.reconcile(to: Ruleset())
            #expect(try SavedTables(family, in: namespace) == before)
        }
    }

    @Test("Twenty rounds of damage at random, ours and theirs mixed", arguments: Family.allCases)
    func random(_ family: Family) async throws {
        try await NetworkNamespace.run { namespace in
            let wanted = try ruleset(of: everyday)
            let (reconciler, _) = namespace.reconciler()
            _ = try await reconciler.reconcile(to: wanted)
            let right = try SavedTables(family, in: namespace).ours.map(\.withoutCounters)
            var random = SeededNumbers(family == .ipv4 ? 4 : 6)
            for round in 1...20 {
                // At most eight, so that a list that cannot all be done is rare; what fails is as good as not done.
                var steps: [String] = []
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let place = Int.random(in: 1...4, using: &random)
                    steps.append(
                        [
                            "-t mangle -D fwmarkd-mark \(place)", "-t nat -D fwmarkd-nat \(place)",
                            "-t mangle -I fwmarkd-mark \(place) -p tcp --dport \(place) -j MARK --set-mark 9",
                            "-t mangle -R fwmarkd-mark \(place) -m comment --comment ftp -j MARK --set-mark 21",
                            "-t mangle -I PREROUTING 1 -p tcp --dport \(place) -j ACCEPT", "-t mangle -D PREROUTING \(place)",
                            "-t nat -D POSTROUTING \(place)", "-t nat -A POSTROUTING -o eth\(place) -j MASQUERADE",
                            "-t mangle -A PREROUTING -j fwmarkd-mark",
                            "-t nat -F fwmarkd-nat", "-t mangle -N fwmarkd-\(place)",
                            "-t mangle -A fwmarkd-\(place) -j fwmarkd-mark",
                        ].randomElement(using: &random) ?? "")
                }
                for step in steps {
                    _ = try namespace.end(of: ["\(family.command)-legacy"] + step.split(separator: " ").map(String.init))
                }
                let damaged = try SavedTables(family, in: namespace)
                _ = try await reconciler.reconcile(to: wanted)
                let repaired = try SavedTables(family, in: namespace)
                #expect(repaired.ours.map(\.withoutCounters).sorted() == right.sorted(), "round \(round): \(steps)")
                #expect(repaired.foreign == damaged.foreign, "round \(round): \(steps)")
                #expect(try await reconciler.reconcile(to: wanted).changes == [], "round \(round): \(steps)")
            }
        }
    }
}

extension SavedTables.SavedRule {
    /// The rule as iptables would be told it.
    var withoutCounters: String { "-t \(table) -A \(chain) \(text)" }
}

extension NetworkNamespace {
    /// Gives each rule that has counted nothing counters of its own.
    func giveCounters(_ family: Family) throws {
        var number = 100
        let lines = try run("\(family.command)-legacy-save", "-c").split(separator: "\n").map { line -> String in
            guard line.hasPrefix("[0:0] -A") else { return String(line) }
            number += 1
            return "[\(number):\(number * 1000)]" + line.dropFirst(5)
        }
        try run("\(family.command)-legacy-restore", "-c", input: lines.joined(separator: "\n") + "\n")
    }
}
