// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Judge
package import Rules

/// Which rules of other programs a ruleset of ours can take the place of, so that no packet gets another mark, connection's mark,
/// source or verdict.
///
/// Every class of packets that rules tell apart is judged before and after. A rule that the ruleset does not stand for stays.
package struct AdoptionProof: Sendable {
    /// Why nothing can be taken over.
    package struct Refusal: Error, Sendable {
        /// In which table.
        package let table: TableID
        /// What would become of packets, and of which.
        package let reason: String
        /// The rules because of which that is so.
        package let inTheWay: [FoundRule]
    }

    /// The rules that go, by table and chain, as numbers counted from 0.
    package private(set) var removed: [TableID: [ChainName: Set<Int>]] = [:]
    /// The rules that stay, because the ruleset does not stand for them.
    package private(set) var staying: [FoundRule] = []

    /// Shows that the ruleset can take the place of the rules.
    ///
    /// - Parameters:
    ///   - originals: the rules that the ruleset may stand for.
    ///   - tables: the tables as they are.
    package init(
        _ ruleset: Ruleset, replacing originals: [FoundRule], in tables: [TableID: [Chain]],
        hookPosition: HookPosition
    ) throws(Refusal) {
        for original in originals { removed[original.table, default: [:]][original.chain, default: []].insert(original.number - 1) }
        // Where nothing of ours is or will be, and nothing goes, nothing can differ.
        for id in TableID.ours
        where removed[id] != nil || ruleset.tables[id] != nil || tables[id]?.contains(where: \.name.isOurs) == true {
            let before = AdoptionProof.whole(id, tables[id] ?? [])
            for hook in id.table.hooks { try prove(ruleset, id, hook, before, hookPosition) }
        }
    }

    private mutating func prove(
        _ ruleset: Ruleset, _ id: TableID, _ hook: Hook, _ before: [Chain], _ position: HookPosition
    ) throws(Refusal) {
        while true {
            let gone = removed[id] ?? [:]
            let after = AdoptionProof.after(before, without: gone, ruleset, id, position)
            switch Equivalence.compare(id, at: hook, before: before, after: after, removed: gone, most: 64) {
            case .equal: return
            case .tooMany:
                throw Refusal(table: id, reason: "too many kinds of packets to compare in \(hook.chain)", inTheWay: [])
            case .different(let differences):
                if let blocked = differences.first(where: { !$0.inTheWay.isEmpty || $0.removed.isEmpty }) {
                    throw Refusal(table: id, reason: blocked.sentence, inTheWay: blocked.inTheWay.map { FoundRule($0, id) })
                }
                // The ruleset does not do what these do.
                for step in differences.flatMap(\.removed) where removed[id]?[step.chain]?.remove(step.number - 1) != nil {
                    staying.append(FoundRule(step, id))
                }
            }
        }
    }

    /// The table with the built-in chains that it has once it exists.
    private static func whole(_ id: TableID, _ chains: [Chain]) -> [Chain] {
        chains.isEmpty ? id.table.hooks.map { Chain($0.chain, policy: .accept) } : chains
    }

    /// The table as it will be.
    private static func after(
        _ before: [Chain], without gone: [ChainName: Set<Int>], _ ruleset: Ruleset, _ id: TableID,
        _ position: HookPosition
    ) -> [Chain] {
        let jumps = Dictionary(uniqueKeysWithValues: ruleset.jumps(id).map { ($0.hook.chain, $0.jump) })
        let others = before.filter { !$0.name.isOurs }.map { chain in
            let wanted = jumps[chain.name]
            var hasJump = false
            var rules: [Rule] = []
            for (index, rule) in chain.rules.enumerated() where gone[chain.name]?.contains(index) != true {
                let isOurJump = chain.policy != nil && rule.isOurJump
                if isOurJump && (rule != wanted || hasJump) { continue }
                hasJump = hasJump || isOurJump
                rules.append(rule)
            }
            if let wanted, !hasJump { rules.insert(wanted, at: position == .first ? 0 : rules.count) }
            return Chain(chain.name, policy: chain.policy, rules)
        }
        return others + (ruleset.tables[id] ?? [])
    }
}

extension Rule {
    /// Whether the rule, in a chain of a hook, is a jump of ours.
    fileprivate var isOurJump: Bool {
        guard case .jump(let chain) = target else { return false }
        return Table.entryChains.contains(chain) && self == Ruleset.jump(into: chain)
    }
}

extension FoundRule {
    fileprivate init(_ step: Judgement.Step, _ id: TableID) {
        self.init(
            table: id, chain: step.chain, number: step.number, rule: step.rule, text: printable(step.rule.iptablesSyntax),
            origin: .legacy)
    }
}

extension Equivalence.Difference {
    /// What would become of the packet.
    fileprivate var sentence: String {
        func text(_ judgement: Judgement) -> String {
            if case .known(.drop) = judgement.verdict { return "are dropped" }
            let mark =
                judgement.mark.value.map { $0 == 0 ? "no mark" : "mark 0x\(String($0, radix: 16))" } ?? "a mark that is not known"
            let source =
                switch judgement.translation {
                case .known(.none): ""
                case .known(.masquerade): ", and are masqueraded"
                case .known(.source(let range)): ", and get the source \(range.addresses)"
                case .unknown: ", and a source that is not known"
                }
            let saved = judgement.connectionMark != before.connectionMark || before.connectionMark != after.connectionMark
            let connection = saved ? judgement.connectionMark.value.map { ", the connection 0x\(String($0, radix: 16))" } ?? "" : ""
            return "have \(mark)\(connection)\(source)"
        }
        return "packets \(packet.words) \(text(before)) now, and would \(text(after).replacing("are ", with: "be "))"
    }
}

extension JudgedPacket {
    /// The packet, as far as rules ask for it.
    fileprivate var words: String {
        var words: [String] = []
        if let protocolNumber { words.append("of \(ProtocolMatch(protocolNumber).name)") }
        if isFurtherFragment == true { words.append("in fragments") }
        if let source { words.append("from \(source)" + (sourcePort.map { " port \($0)" } ?? "")) }
        if let destination { words.append("to \(destination)" + (destinationPort.map { " port \($0)" } ?? "")) }
        if let inInterface { words.append("by \(printable(inInterface))") }
        if let outInterface { words.append("out by \(printable(outInterface))") }
        if mark.value != 0 { words.append("that come with mark 0x\(String(mark.value, radix: 16))") }
        return words.isEmpty ? "of every kind" : words.joined(separator: " ")
    }
}
