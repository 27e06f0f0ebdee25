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
                "\(id.family.command) -t \(table): no jump into \(jump.jump.target.chain?.text ?? "our chains") is in \(hook.chain); "
                    + "no packet reaches its rules")
        }
    }

    /// A packet in INPUT has been through PREROUTING. What depends on something that the question leaves open is unknown.
    private init(_ question: PacketQuestion, _ tables: [TableID: [Chain]], _ origins: RuleOrigins, _ view: View) {
        let judge = Judge(tables: tables)
        var packet = JudgedPacket(question)
        var (steps, mark): ([ExplainedStep], MarkOutcome) = ([], MarkOutcome(.unmarked))
        for hook in question.hook == .input ? [Hook.prerouting, .input] : [question.hook] {
            let judgement = judge.judge(packet, at: hook)
            steps += origins.steps(judgement, hook, packet.family, before: packet.mark)
            mark = MarkOutcome(judgement, previous: mark, origins, packet.family)
            packet.mark = judgement.mark.value.map { PartialMark($0) } ?? .unknown
            packet.connectionMark = judgement.connectionMark.value.map { PartialMark($0) } ?? .unknown
            if mark.verdict == .dropped { break }
        }
        guard mark.verdict != .dropped else {
            self.init(
                view: view, packet: question.packet, mark: mark, source: SourceOutcome(.dropped, reason: mark.reason), steps: steps)
            return
        }
        let judgement = judge.judge(packet, at: .postrouting)
        steps += origins.steps(judgement, .postrouting, packet.family, before: packet.mark)
        let source = SourceOutcome(judgement, origins, packet.family)
        self.init(view: view, packet: question.packet, mark: mark, source: source, steps: steps)
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
