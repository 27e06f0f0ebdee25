package import API
package import ConfigurationFile
package import Planner
import Rules

extension Explanation {
    /// What happens to the packet by the rules that the configuration asks for.
    ///
    /// A packet in INPUT has been through PREROUTING. What depends on something that the question leaves open (an interface, the
    /// sender's hardware address, the connection's mark) is unknown.
    package init(_ question: PacketQuestion, _ loaded: LoadedConfiguration, _ plan: Plan) {
        var packet = Packet(question)
        let explainer = Explainer(plan.ruleset)
        let places = StepPlaces(loaded, plan, question.source.family)
        var (steps, unknownMark): ([ExplainedStep], ExplainedStep?) = ([], nil)
        var service: String?
        let hooks: [Hook] = question.hook == .input ? [.prerouting, .input] : [question.hook]
        for (table, hook) in hooks.flatMap({ hook in [(Table.raw, hook), (.mangle, hook)] })
        where table.entries.contains(where: { $0.hook == hook }) {
            let traversal = explainer.traversal(of: packet, in: table, at: hook)
            let found = places.steps(traversal, table, hook, packet.mark ?? 0)
            steps += found
            if table == .mangle {
                service = found.last { $0.matches && $0.effect == .mark }?.owner ?? service
                unknownMark = found.first { !$0.matches } ?? unknownMark
            }
            packet = traversal.packet
        }
        packet.inInterface = question.inInterface
        let mark =
            unknownMark.map { MarkOutcome(.unknown, reason: $0.reason) }
            ?? ((packet.mark ?? 0) == 0 ? MarkOutcome(.unmarked) : MarkOutcome(.marked, value: packet.mark, service: service))
        let traversal = explainer.traversal(of: packet, in: .nat, at: .postrouting)
        let found = places.steps(traversal, .nat, .postrouting, packet.mark ?? 0)
        self.init(
            view: .configuration, packet: question.packet, mark: mark, source: SourceOutcome(traversal, found), steps: steps + found)
        if unknownMark != nil, source.verdict != .unknown, found.contains(where: { $0.rule.contains("--mark") }) {
            source = SourceOutcome(.unknown, reason: "it depends on the mark, which is unknown")
        }
    }
}

extension Packet {
    /// The first packet of its connection, without a mark.
    package init(_ question: PacketQuestion) {
        self.init(
            protocolNumber: question.protocolNumber, source: question.source, sourcePort: question.sourcePort ?? 0,
            destination: question.destination, destinationPort: question.destinationPort ?? 0,
            inInterface: question.hook == .output ? "" : question.inInterface, outInterface: question.outInterface, mark: 0)
        if question.hook == .output { sender = .none }
    }
}

extension SourceOutcome {
    fileprivate init(_ traversal: Traversal, _ steps: [ExplainedStep]) {
        if let unknown = steps.first(where: { !$0.matches }) {
            self.init(.unknown, reason: unknown.reason)
            return
        }
        let owner = steps.last { $0.owner != nil }?.owner
        switch traversal.end {
        case .continues: self.init(.unchanged)
        case .accepted: self.init(.unchanged, translation: owner)
        case .dropped: self.init(.dropped)
        case .translated(.sourceNAT(let range)):
            let to = range.first == range.last ? "\(range.first)" : "\(range.first)-\(range.last)"
            self.init(.translated, to: to, translation: owner)
        case .translated: self.init(.masquerade, translation: owner)
        }
    }
}
