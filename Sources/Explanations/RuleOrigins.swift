// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import Judge
import Planner
import Rules

/// Which service or translation each rule belongs to, and where that is in the file.
struct RuleOrigins {
    private let loaded: LoadedConfiguration
    private let plan: Plan
    /// Whether the packet has another destination than the question says, or may have one.
    var isRedirected = false
    private let planned: [TableID: [ChainName: [Rule]]]

    init(_ loaded: LoadedConfiguration, _ plan: Plan) {
        self.loaded = loaded
        self.plan = plan
        planned = plan.ruleset.tables.mapValues { chains in
            Dictionary(chains.map { ($0.name, $0.rules) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// The service or translation that the rule belongs to; nil where it is not as planned.
    func owner(_ step: Judgement.Step, _ family: Family) -> String? {
        let id = TableID(family, step.table)
        guard let rules = planned[id]?[step.chain] else { return nil }
        // Another program's rule may have moved ours.
        let isInPlace = rules.indices.contains(step.number - 1) && rules[step.number - 1] == step.rule
        guard let index = isInPlace ? step.number - 1 : rules.firstIndex(of: step.rule) else { return nil }
        return plan.owners.owner(in: id, chain: step.chain, number: index + 1)
    }

    /// The rules that the packet with that mark met, with the one in doubt marked as such.
    func steps(_ judgement: Judgement, _ hook: Hook, _ family: Family, before: PartialMark) -> [ExplainedStep] {
        let doubts = [judgement.mark.doubt, judgement.translation.doubt, judgement.verdict.doubt].compactMap(\.self)
        var steps = judgement.steps.map { explained($0, hook, family, isInDoubt: doubts.contains($0)) }
        for doubt in Set(doubts) where !judgement.steps.contains(doubt) {
            let place = steps.firstIndex {
                $0.table == doubt.table.rawValue && $0.chain == doubt.chain.text && $0.number > doubt.number
            }
            steps.insert(explained(doubt, hook, family, isInDoubt: true), at: place ?? steps.endIndex)
        }
        var mark = before.unknown == 0 ? before.value : nil
        for index in steps.indices {
            if !steps[index].matches { mark = nil }
            if case .mark(let operation) = judgement.steps.first(where: { $0.isSame(steps[index]) })?.rule.target {
                mark = mark.map(operation.applied)
            }
            if steps[index].effect == .mark { steps[index].markAfter = mark }
        }
        return steps
    }

    private func explained(_ step: Judgement.Step, _ hook: Hook, _ family: Family, isInDoubt: Bool) -> ExplainedStep {
        let owner = owner(step, family)
        let position = owner.flatMap {
            step.table == .nat ? loaded.position(ofTranslation: $0) : loaded.position(ofMarking: $0)
        }
        return ExplainedStep(
            hook: hook.chain.text, table: step.table.rawValue, chain: step.chain.text, number: step.number,
            rule: printable(step.rule.iptablesSyntax), matches: !isInDoubt, effect: ExplainedStep.Effect(step.rule.target),
            into: step.rule.target.chain?.text, owner: owner, position: position.map { "\($0)" },
            isForeign: !step.chain.isOurs && step.rule.target.chain?.isOurs != true, reason: isInDoubt ? doubt(step) : nil)
    }

    /// The rule in a few words.
    func text(_ step: Judgement.Step) -> String {
        step.number == 0
            ? "the policy of \(step.chain), table \(step.table)" : "rule \(step.number) of \(step.chain), table \(step.table)"
    }

    /// What a rule in doubt looks at that the question leaves open.
    func doubt(_ step: Judgement.Step) -> String { "\(text(step)) depends on \(opening(step.rule))" }

    private func opening(_ rule: Rule) -> String {
        if isRedirected, rule.match.asksForDestination { return "the destination that IPVS or a translation has given the packet" }
        if rule.match.inInterface != nil { return "the interface that the packet comes in by" }
        if rule.match.outInterface != nil { return "the interface that the packet leaves by" }
        if let opening = rule.match.conditions.lazy.compactMap(RuleOrigins.opening).first { return opening }
        return switch rule.target {
        case .connectionMark: "the connection's mark"
        case .other(let target): "-j \(printable(target.name)), which is not understood"
        default: "what the question leaves open"
        }
    }

    private static func opening(_ condition: Condition) -> String? {
        switch condition {
        case .mac: "the sender's hardware address"
        case .mark: "the packet's mark"
        case .connectionMark: "the connection's mark"
        case .tcpFlags: "the TCP flags"
        case .icmp: "the ICMP type"
        case .addressType: "the routing table (-m addrtype)"
        case .set: "what is in an IP set (-m set)"
        case .other(let match): "-m \(printable(match.name)), which is not understood"
        case .ports, .connectionState, .addressRange: nil
        }
    }
}

extension RuleMatch {
    fileprivate var asksForDestination: Bool {
        destination != nil
            || conditions.contains { condition in
                switch condition {
                case .ports(let ports): ports.side != .source
                case .addressRange(let side, _, _, _): side == .destination
                default: false
                }
            }
    }
}

extension Judgement.Step {
    fileprivate func isSame(_ step: ExplainedStep) -> Bool {
        table.rawValue == step.table && chain.text == step.chain && number == step.number
    }
}

extension ExplainedStep.Effect {
    /// What the target does to a packet.
    init(_ target: Target) {
        self =
            switch target {
            case .mark: .mark
            case .masquerade, .sourceNAT: .translate
            case .destinationNAT: .redirect
            case .jump: .jump
            case .goTo: .goto
            case .returnToCaller: .return
            case .accept: .accept
            case .drop: .drop
            case .connectionMark, .helper, .none: .nothing
            case .queue, .other: .unknown
            }
    }
}
