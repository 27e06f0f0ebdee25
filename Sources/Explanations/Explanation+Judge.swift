// SPDX-License-Identifier: GPL-2.0-or-later
package import API
package import ConfigurationFile
import Judge
package import Planner
package import Rules

extension Explanation {
    /// What happens to the packet by the rules that the configuration asks for.
    package init(_ question: PacketQuestion, _ loaded: LoadedConfiguration, _ plan: Plan) {
        var tables = plan.ruleset.tables
        for id in TableID.ours where tables[id] != nil {
            // The jumps, in built-in chains that have nothing else.
            tables[id]?.insert(
                contentsOf: plan.ruleset.jumps(id).map { Chain($0.hook.chain, policy: .accept, [$0.jump]) }, at: 0)
        }
        self.init(question, tables, RuleOrigins(loaded, plan), .configuration)
    }

    /// What happens to the packet by all rules that are in these tables, other programs' rules included.
    package init(
        _ question: PacketQuestion, kernel tables: [TableID: [Chain]], _ loaded: LoadedConfiguration, _ plan: Plan
    ) {
        self.init(question, tables, RuleOrigins(loaded, plan), .kernel)
        for (hook, table) in [(question.hook, Table.mangle), (.postrouting, .nat)] {
            let id = TableID(question.source.family, table)
            guard let jump = plan.ruleset.jumps(id).first(where: { $0.hook == hook }),
                !(tables[id] ?? []).contains(where: { $0.name == hook.chain && $0.rules.contains(jump.jump) })
            else { continue }
            notes.append(
                "\(id.family.command)-legacy -t \(table): no jump into \(jump.jump.target.chain?.text ?? "our chains") is in \(hook.chain); "
                    + "no packet reaches its rules")
        }
    }

    private init(_ question: PacketQuestion, _ tables: [TableID: [Chain]], _ origins: RuleOrigins, _ view: View) {
        let judge = Judge(tables: tables)
        let first = JudgedPacket(question)
        let passage = Passage(first, question.hook, judge, origins)
        self.init(view: view, packet: question.packet, mark: passage.mark, source: passage.source, steps: passage.steps)
        var later = first
        later.state = .established
        later.connectionMark = .unknown
        (later.isDestinationTranslated, later.isSourceTranslated) = (nil, nil)
        // nat is asked for the first packet of a connection alone, and a jump there decides nothing.
        let isTranslated = passage.steps.contains {
            $0.table == Table.nat.rawValue && ![.jump, .goto, .return, .nothing].contains($0.effect)
        }
        if isTranslated || Passage(later, question.hook, judge, origins).mark != passage.mark {
            notes.append(
                "this is the first packet of its connection; later ones keep its translation, and rules may treat them in another way"
            )
        }
    }
}

/// What becomes of a packet from the hook at which it enters to the one at which it leaves.
///
/// A packet in INPUT has been through PREROUTING. What depends on something that the question leaves open is unknown.
private struct Passage {
    private(set) var steps: [ExplainedStep] = []
    private(set) var mark = MarkOutcome(.unmarked)
    private(set) var source = SourceOutcome(.dropped)

    init(_ first: JudgedPacket, _ hook: Hook, _ judge: Judge, _ origins: RuleOrigins) {
        var (packet, origins) = (first, origins)
        // The director's own packets came in by no interface.
        if hook == .output { packet.inInterface = "" }
        var doubt: String?
        for hook in hook == .input ? [Hook.prerouting, .input] : [hook] {
            let judgement = judge.judge(packet, at: hook)
            steps += origins.steps(judgement, hook, packet.family, before: packet.mark)
            mark = MarkOutcome(judgement, previous: mark, origins, packet.family)
            if judgement.verdict.doubt != nil { doubt = doubt ?? mark.reason }
            packet.mark = judgement.mark.value.map { PartialMark($0) } ?? .unknown
            packet.connectionMark = judgement.connectionMark.value.map { PartialMark($0) } ?? .unknown
            (packet.destination, packet.destinationPort) = (judgement.destination, judgement.destinationPort)
            packet.isDestinationTranslated = judgement.isDestinationTranslated
            if mark.verdict == .dropped {
                source.reason = mark.reason
                return
            }
        }
        if let doubt { mark = MarkOutcome(.unknown, reason: doubt) }
        // What a service marks goes on to a real server of IPVS.
        if mark.service != nil { (packet.destination, packet.destinationPort) = (nil, nil) }
        origins.isRedirected = packet.destination != first.destination || packet.destinationPort != first.destinationPort
        let judgement = judge.judge(packet, at: .postrouting)
        steps += origins.steps(judgement, .postrouting, packet.family, before: packet.mark)
        source = SourceOutcome(judgement, origins, packet.family)
    }
}

extension JudgedPacket {
    /// The first packet of its connection, without a mark.
    package init(_ question: PacketQuestion) {
        self.init(question.source.family)
        (source, destination) = (question.source, question.destination)
        (sourcePort, destinationPort) = (question.sourcePort, question.destinationPort)
        protocolNumber = question.protocolNumber
        (inInterface, outInterface) = (question.inInterface, question.outInterface)
        // SYN alone (RFC 9293).
        if protocolNumber == TransportProtocol.tcp.number { tcpFlags = 2 }
    }
}

extension MarkOutcome {
    fileprivate init(_ judgement: Judgement, previous: MarkOutcome, _ origins: RuleOrigins, _ family: Family) {
        if judgement.verdict.value == .drop {
            self.init(.dropped, reason: judgement.verdictStep.map { "by \(origins.text($0))" })
            return
        }
        if let step = judgement.verdict.doubt {
            self.init(.unknown, reason: origins.doubt(step))
            return
        }
        switch judgement.mark {
        case .unknown(let step): self.init(.unknown, reason: origins.doubt(step))
        case .known(0): self.init(.unmarked, reason: judgement.endBeforeOurs.map { "by \(origins.text($0))" })
        case .known(let value):
            guard let step = judgement.markStep else {
                self = previous
                return
            }
            let owner = origins.owner(step, family)
            self.init(.marked, value: value, service: owner, reason: owner == nil ? "by \(origins.text(step))" : nil)
        }
    }
}

extension Judgement {
    /// The rule of another program that ended mangle before the packet came to ours; nil: none did.
    fileprivate var endBeforeOurs: Step? {
        let met = steps.filter { $0.table == .mangle }
        guard let last = met.last, !met.contains(where: { $0.chain.isOurs || $0.rule.target.chain?.isOurs == true }) else {
            return nil
        }
        return switch last.rule.target {
        case .accept, .queue: last
        case .returnToCaller: Hook(chain: last.chain) == nil ? nil : last
        default: nil
        }
    }
}

extension SourceOutcome {
    fileprivate init(_ judgement: Judgement, _ origins: RuleOrigins, _ family: Family) {
        if judgement.verdict.value == .drop {
            self.init(.dropped, reason: judgement.verdictStep.map { "by \(origins.text($0))" })
            return
        }
        if let step = judgement.verdict.doubt {
            self.init(.unknown, reason: origins.doubt(step))
            return
        }
        let owner = judgement.translationStep.flatMap { origins.owner($0, family) }
        let other = owner == nil ? judgement.translationStep.map { "by \(origins.text($0))" } : nil
        switch judgement.translation {
        case .unknown(let step): self.init(.unknown, reason: origins.doubt(step))
        case .known(.none): self.init(.unchanged, translation: owner, reason: other)
        case .known(.masquerade): self.init(.masquerade, translation: owner, reason: other)
        case .known(.source(let range)):
            let to = range.first == range.last ? "\(range.first)" : "\(range.first)-\(range.last)"
            self.init(.translated, to: to, translation: owner, reason: other)
        }
    }
}
