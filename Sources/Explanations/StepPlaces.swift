package import API
import ConfigurationFile
import Planner
package import Rules

/// Whose the rules of a plan are, and where that is in the file.
struct StepPlaces {
    private let loaded: LoadedConfiguration
    private let plan: Plan
    private let family: Family

    init(_ loaded: LoadedConfiguration, _ plan: Plan, _ family: Family) {
        self.loaded = loaded
        self.plan = plan
        self.family = family
    }

    /// The steps of a packet's way, those that are undecided in the order of their chain.
    func steps(_ traversal: Traversal, _ table: Table, _ hook: Hook, _ mark: UInt32) -> [ExplainedStep] {
        guard !traversal.steps.isEmpty || !traversal.undecided.isEmpty else { return [] }
        var mark = mark
        let entry = table.entries.first { $0.hook == hook }?.chain
        var result: [ExplainedStep] = []
        if let entry {
            result.append(
                ExplainedStep(
                    hook: hook.chain.text, table: table.rawValue, chain: hook.chain.text, number: 1,
                    rule: Ruleset.jump(into: entry).iptablesSyntax, effect: .jump, into: entry.text, markAfter: mark))
        }
        for step in traversal.steps {
            if case .mark(let operation) = step.rule.target { mark = operation.applied(to: mark) }
            var explained = explained(step, table, hook)
            explained.markAfter = mark
            result.append(explained)
        }
        for step in traversal.undecided {
            var explained = explained(step, table, hook)
            explained.matches = false
            explained.reason = StepPlaces.reason(step.rule)
            let place = result.firstIndex { $0.chain == explained.chain && $0.number > explained.number } ?? result.endIndex
            result.insert(explained, at: place)
        }
        return result
    }

    private func explained(_ step: Traversal.Step, _ table: Table, _ hook: Hook) -> ExplainedStep {
        let owner = plan.owners.owner(in: TableID(family, table), chain: step.chain, number: step.number)
        let position = owner.flatMap { table == .nat ? loaded.position(ofTranslation: $0) : loaded.position(ofMarking: $0) }
        return ExplainedStep(
            hook: hook.chain.text, table: table.rawValue, chain: step.chain.text, number: step.number,
            rule: step.rule.iptablesSyntax, effect: ExplainedStep.Effect(step.rule.target), into: step.rule.target.chain?.text,
            owner: owner, position: position.map { "\($0)" })
    }

    /// What an undecided rule looks at that the question leaves open.
    private static func reason(_ rule: Rule) -> String {
        let text = rule.iptablesSyntax
        if text.contains("-i ") { return "it depends on the interface that the packet comes in by (in-interface)" }
        if text.contains("-o ") { return "it depends on the interface that the packet leaves by (out-interface)" }
        if text.contains("--mac-source") { return "it depends on the sender's hardware address" }
        if text.contains("-m connmark") { return "it depends on the connection's mark" }
        return "it depends on what the question does not say"
    }
}

extension ExplainedStep.Effect {
    /// What the target does to a packet.
    package init(_ target: Target) {
        self =
            switch target {
            case .mark: .mark
            case .masquerade, .sourceNAT: .translate
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
