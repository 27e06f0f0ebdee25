// SPDX-License-Identifier: GPL-2.0-or-later
import FakeKernel
import RandomNumbers
import Rules
import Testing

@testable import Netfilter
@testable import Reconciler

@Suite("The difference between a table and what it should be")
struct DifferenceTests {
    private func difference(
        _ table: TableSnapshot?, _ ruleset: Ruleset, _ position: HookPosition = .first, _ id: TableID = mangle
    ) -> TableDifference {
        TableDifference(id, from: table, to: TableDifference.Goal(ruleset, id), hookPosition: position)
    }

    /// Changes in short: `-A1`, `+B2` for a rule taken out, put in, with its number at that moment.
    private func short(_ changes: Changes) -> String {
        changes.map { change in
            let letter = change.rule?.comment ?? change.chain.text
            let sign = [.add: "+", .remove: "-", .addChain: "++", .removeChain: "--"][change.kind] ?? "?"
            return sign + letter + (change.number.map { "\($0)" } ?? "")
        }.joined(separator: " ")
    }

    /// The chain of ours after the changes were typed one after the other.
    private func typed(_ changes: Changes, _ before: TableSnapshot) throws -> [KernelRule]? {
        var rules = Array(before[.mark]?.rules ?? [])
        for change in changes where change.chain == .mark {
            guard let number = change.number, let rule = change.rule else { continue }
            if change.kind == .add { rules.insert(KernelRule(rule), at: number - 1) }
            if change.kind == .remove { #expect(rules.remove(at: number - 1).content == rule) }
        }
        return rules
    }

    @Test(
        "Within a chain, rules that stay are left alone and the rest is the least possible",
        arguments: [
            ("", "", ""), ("ABC", "ABC", ""), ("", "AB", "+A1 +B2"), ("AB", "", "-A1 -B1"),
            ("ABC", "AC", "-B2"), ("AC", "ABC", "+B2"), ("BC", "ABC", "+A1"), ("AB", "ABC", "+C3"),
            ("ABC", "AXC", "-B2 +X2"), ("ABC", "XYZ", "-A1 -B1 -C1 +X1 +Y2 +Z3"),
            ("ABC", "BCA", "-A1 +A3"), ("ABC", "CAB", "+C1 -C4"), ("ABCD", "ACBD", "+C2 -C4"), ("AB", "BA", "+B1 -B3"),
            ("AAB", "AB", "-A2"), ("AB", "AAB", "+A2"), ("ABA", "AAB", "+A2 -A4"),
            ("ABCDE", "EXBAD", "+E1 +X2 +B3 -B5 -C5 -E6"),
        ])
    func withinAChain(_ from: String, _ to: String, _ expected: String) throws {
        let name = ChainName.mark.text
        var before = table(mangle, ["PREROUTING": ">", name: from])
        before.change(chainName(name)) { rules in
            for index in rules.indices { rules[index].counters = Counters(packets: UInt64(index + 1), bytes: 0) }
        }
        let found = difference(before, ruleset([mangle: [name: to]]))
        #expect(short(found.changes) == expected)
        #expect(try typed(found.changes, before).map { letters(Array($0)) } == to)
        let after = try before.applying(found.edits)
        #expect(picture(after) == "PREROUTING: >  \(name): \(to)")
        // Counters go where their rules go; of equal rules, the first keeps the first's.
        var counters: [KernelRule.Content: [UInt64]] = [:]
        for rule in before[chainName(name)]?.rules ?? [] { counters[rule.content, default: []].append(rule.counters.packets) }
        for rule in after[chainName(name)]?.rules ?? [] {
            let one = counters[rule.content]?.isEmpty == false ? counters[rule.content]?.removeFirst() : 0
            #expect(rule.counters.packets == one, "\(rule)")
        }
        #expect(difference(after, ruleset([mangle: [name: to]])).isEmpty)
    }

    @Test("Any chain becomes any other, and what is left alone is a longest common run")
    func randomChains() throws {
        var random = SeededNumbers(7)
        for _ in 0..<2_000 {
            let alphabet = Array("ABCDEFGHIJKLMNOP".shuffled(using: &random))
            let from = String(alphabet.prefix(Int.random(in: 0...10, using: &random)))
            let to = String(alphabet.shuffled(using: &random).prefix(Int.random(in: 0...10, using: &random)))
            let before = table(mangle, ["PREROUTING": ">", "fwmarkd-mark": from])
            let found = difference(before, ruleset([mangle: ["fwmarkd-mark": to]]))
            #expect(picture(try before.applying(found.edits)) == "PREROUTING: >  fwmarkd-mark: \(to)")
            let touched = found.edits.reduce(0) { count, edit in
                if case .appendAll(_, let rules) = edit { count + rules.count } else { count + 1 }
            }
            #expect(touched == from.count + to.count - 2 * longestCommonRun(from, to), "\(from) to \(to)")
        }
    }

    @Test(
        "The jump is made, moved home, and never doubled; what is not ours stays, jumps with a match too",
        arguments: [
            ("missing from an empty hook", "", "", ">"),
            ("missing, others there", "xy", "", ">xy"),
            ("right, wherever it is", "x>y", "", "x>y"),
            ("doubled", "x>y>", "", "x>y"),
            ("one of others beside it", "xa>y", "", "xa>y"),
            ("one of others instead", "xay", "", ">xay"),
            ("in another hook", "x", ">z", ">x"),
            ("in both", "x>", "z>", "x>"),
        ])
    func jumps(_ what: String, _ hook: String, _ other: String, _ expected: String) throws {
        var before = table(mangle, ["PREROUTING": hook, "INPUT": other, "fwmarkd-mark": "A"])
        // "a" is a jump into our chain that asks for something: not ours.
        before.change(Hook.prerouting.chain) { rules in
            for index in rules.indices where letters([rules[index]]) == "a" {
                rules[index] = KernelRule(Rule(RuleMatch(transport: ProtocolMatch(.udp)), comment: "a", target: .jump(.mark)))
            }
        }
        let found = difference(before, ruleset([mangle: ["fwmarkd-mark": "A"]]))
        let after = try before.applying(found.edits)
        let input = other.filter { $0 != ">" }
        #expect(
            picture(after) == "PREROUTING: \(expected)  " + (input.isEmpty ? "" : "INPUT: \(input)  ") + "fwmarkd-mark: A")
        #expect(after[Hook.prerouting.chain]?.rules.filter(\.isOurJump).map(\.rule) == [Ruleset.jump(into: .mark)])
        #expect(difference(after, ruleset([mangle: ["fwmarkd-mark": "A"]])).isEmpty)
    }

    @Test(
        "A missing jump is put where the hook position says",
        arguments: [(HookPosition.first, ">xy"), (.last, "xy>")])
    func hookPosition(_ position: HookPosition, _ expected: String) throws {
        let before = table(mangle, ["PREROUTING": "xy"])
        let after = try before.applying(difference(before, ruleset([mangle: ["fwmarkd-mark": "A"]]), position).edits)
        #expect(picture(after) == "PREROUTING: \(expected)  fwmarkd-mark: A")
    }

    @Test("A rule of another program that leads into a chain of ours stays what and where it is")
    func foreignJump() throws {
        let theirs = Rule(comment: "theirs", target: .goTo(.mark))
        var before = table(mangle, ["PREROUTING": "x"])
        before.change(.mark) { $0 = [] }
        before.change(Hook.prerouting.chain) { $0.append(KernelRule(theirs, counters: Counters(packets: 9, bytes: 9))) }
        let wanted = ruleset([mangle: ["fwmarkd-mark": "A"]])
        let after = try before.applying(difference(before, wanted).edits)
        #expect(after[Hook.prerouting.chain]?.rules.last == before[Hook.prerouting.chain]?.rules.last)
        #expect(after[Hook.prerouting.chain]?.rules.first?.rule == Ruleset.jump(into: .mark))

        // Without it our chain would go; with it the chain is left empty, once and for all.
        let removal = difference(after, Ruleset())
        #expect(removal.warnings.count == 1)
        let removed = try after.applying(removal.edits)
        #expect(picture(removed) == "PREROUTING: xt  fwmarkd-mark: ")
        let again = difference(removed, Ruleset())
        #expect(again.isEmpty && again.warnings.count == 1)
    }

    @Test("A chain that bears our prefix and is not wanted goes, with whatever is in it")
    func unwantedChain() throws {
        var before = table(mangle, ["PREROUTING": "x>", "fwmarkd-mark": "A", "fwmarkd-old": "BC", "OTHER": "z"])
        before.change(chainName("fwmarkd-mark")) { $0.append(KernelRule(Rule(target: .jump(chainName("fwmarkd-old"))))) }
        let found = difference(before, ruleset([mangle: ["fwmarkd-mark": "A"]]))
        #expect(picture(try before.applying(found.edits)) == "PREROUTING: x>  OTHER: z  fwmarkd-mark: A")
        #expect(found.changes.last == Change(.removeChain, mangle, chainName("fwmarkd-old")))
    }

    @Test(
        "Chains are made from the last to the first, each with its rules; those that lead to a chain still to be made come last")
    func newChains() throws {
        var wanted = ruleset([mangle: ["fwmarkd-mark": "A", "fwmarkd-C": "C", "fwmarkd-B": "B"]])
        wanted.tables[mangle]?[0].rules.append(Rule(target: .goTo(chainName("fwmarkd-B"))))
        wanted.tables[mangle]?[2].rules.append(Rule(target: .goTo(chainName("fwmarkd-C"))))
        let found = difference(nil, wanted)
        let words = found.edits.map { $0.description.split(separator: " ").prefix(2).joined(separator: " ") }
        #expect(
            words == [
                "-N fwmarkd-mark", "-N fwmarkd-C", "-A fwmarkd-C", "-N fwmarkd-B", "-A fwmarkd-B", "-A fwmarkd-mark",
                "-A PREROUTING",
            ])
        #expect(found.changes.prefix(3).map(\.chain.text) == ["fwmarkd-B", "fwmarkd-C", "fwmarkd-mark"], "told in their order")
        let after = try TableSnapshot.empty(mangle).applying(found.edits)
        #expect(after[.mark]?.rules.count == 2 && after[chainName("fwmarkd-B")]?.rules.count == 2)
    }

    @Test("A rule that changes from one chain of ours to another keeps its counters")
    func acrossChains() throws {
        let before = table(mangle, ["PREROUTING": ">", "fwmarkd-mark": "AB", "fwmarkd-old": "CD"], packets: 5)
        let found = difference(before, ruleset([mangle: ["fwmarkd-mark": "A", "fwmarkd-new": "CBX"]]))
        let after = try before.applying(found.edits)
        #expect(after[chainName("fwmarkd-new")]?.rules.map(\.counters.packets) == [5, 5, 0])
    }

    @Test("A rule that gets or loses nothing but its comment keeps its counters, and takes those of its own name first")
    func acrossComments() throws {
        func named(_ letter: Character, _ comment: String?) -> Rule {
            var rule = rule(letter)
            rule.comment = comment
            return rule
        }
        var before = table(mangle, ["PREROUTING": ">", "fwmarkd-mark": ""])
        before.change(.mark) { rules in
            rules = [("one", 1), ("two", 2), ("three", 3)].map { name, packets in
                KernelRule(named("A", name), counters: Counters(packets: packets, bytes: 0))
            }
        }
        let wanted = [named("A", nil), named("B", nil), named("A", "two")]
        let moved = Ruleset(tables: [mangle: [Chain(.mark, [wanted[1]]), Chain(chainName("fwmarkd-new"), [wanted[2], wanted[0]])]])
        let after = try before.applying(difference(before, moved).edits)
        #expect(after[chainName("fwmarkd-new")]?.rules.map(\.counters.packets) == [2, 1])
        #expect(after[.mark]?.rules.map(\.counters.packets) == [0])
    }

    @Test("A table that does not exist is left so when nothing is wanted in it")
    func absentTable() {
        #expect(difference(nil, Ruleset()).isEmpty)
        #expect(difference(nil, ruleset([nat: ["fwmarkd-nat": "A"]])).isEmpty)
    }
}

/// The length of a longest common subsequence, the slow way.
private func longestCommonRun(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left), Array(right))
    var row = [Int](repeating: 0, count: right.count + 1)
    for letter in left {
        var diagonal = 0
        for (index, other) in right.enumerated() {
            let above = row[index + 1]
            row[index + 1] = letter == other ? diagonal + 1 : max(above, row[index])
            diagonal = above
        }
    }
    return row[right.count]
}
