// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// One way that a packet may take, and how far it has come.
struct Way {
    var packet: JudgedPacket
    var tablesPassed = 0
    /// Where it is in the table: nil at the table's beginning.
    var place: (chain: Int, index: Int)?
    var callers: [(chain: Int, index: Int)] = []
    var translation = Judgement.Translation.none
    var helper = ""
    var verdict = Verdict.accept
    var isOver = false
    /// How many jumps it has made: chains of a dump, which no kernel checked, may lead in a circle.
    var jumps = 0
    var steps: [Judgement.Step] = []
    var markStep, translationStep, verdictStep: Judgement.Step?
    /// The first rule of which it is not known whether the packet matches it.
    var firstFork: Judgement.Step?
    /// Rules that do what is not known.
    var markDoubt, connectionDoubt, translationDoubt, verdictDoubt: Judgement.Step?

    init(_ packet: JudgedPacket) { self.packet = packet }

    /// Whether the packet meets the table at all: nat is asked for the first packet of a connection alone.
    func meets(_ table: Table) -> Bool {
        guard table == .nat, let state = packet.state else { return true }
        return state.isDisjoint(with: [.established, .invalid, .untracked])
    }

    mutating func doubtAll(_ step: Judgement.Step?) {
        markDoubt = markDoubt ?? step
        connectionDoubt = connectionDoubt ?? step
        translationDoubt = translationDoubt ?? step
        verdictDoubt = verdictDoubt ?? step
    }

    /// Goes to the next table.
    mutating func passTable() {
        tablesPassed += 1
        place = nil
        callers = []
    }

    mutating func end(_ verdict: Verdict, _ step: Judgement.Step?) {
        self.verdict = verdict
        verdictStep = step
        isOver = true
    }
}

/// A packet's walk through one table.
struct Walk {
    let table: Table
    let hook: Hook
    let compiled: CompiledTable
    let start: Int

    /// Goes on until the table is passed or the way is over.
    ///
    /// - Returns: the other way, where it is not known whether the packet matches a rule; `way` is the one on which it does not. Both
    ///   are at the rule after it, or in the chain that it leads to.
    func goOn(_ way: inout Way) -> Way? {
        var (chain, index) = way.place ?? (start, 0)
        while true {
            let rules = compiled.chains[chain].rules
            guard index < rules.count else {
                guard goBack(&way, &chain, &index) else { return nil }
                continue
            }
            let rule = rules[index]
            index += 1
            switch rule.match.fits(way.packet, at: hook) {
            case false?: continue
            case true?:
                let step = Judgement.Step(table, compiled.chains[chain].name, index, rule)
                way.steps.append(step)
                if act(rule.target, compiled.targets[chain][index - 1], step, &way, &chain, &index) { return nil }
            case nil:
                if rule.target == .none { continue }
                let step = Judgement.Step(table, compiled.chains[chain].name, index, rule)
                way.firstFork = way.firstFork ?? step
                var other = way
                way.place = (chain, index)
                other.steps.append(step)
                var (otherChain, otherIndex) = (chain, index)
                if !act(rule.target, compiled.targets[chain][index - 1], step, &other, &otherChain, &otherIndex) {
                    other.place = (otherChain, otherIndex)
                }
                return other
            }
        }
    }

    /// Goes back to the caller, or to the hook's policy.
    ///
    /// - Returns: whether the walk goes on.
    private func goBack(_ way: inout Way, _ chain: inout Int, _ index: inout Int) -> Bool {
        if let caller = way.callers.popLast() {
            (chain, index) = caller
            return true
        }
        let name = compiled.chains[start].name
        if compiled.chains[start].policy == .drop {
            way.end(.drop, Judgement.Step(table, name, 0, Rule(target: .drop)))
        } else {
            way.passTable()
        }
        return false
    }

    /// Does what the rule does.
    ///
    /// - Returns: whether the table is passed or the way is over.
    private func act(
        _ target: Target, _ next: Int, _ step: Judgement.Step, _ way: inout Way, _ chain: inout Int, _ index: inout Int
    ) -> Bool {
        switch target {
        case .mark(let operation):
            way.packet.mark = way.packet.mark.replaced(operation.mask, by: PartialMark(operation.value), .max)
            way.markStep = step
        case .connectionMark(let operation): change(operation, step, &way)
        case .masquerade(let options): return translate(.masquerade(options), step, &way)
        case .sourceNAT(let range): return translate(.source(range), step, &way)
        case .destinationNAT(let range):
            way.packet.redirect(to: range)
            way.passTable()
            return true
        case .jump, .goTo:
            guard next >= 0 else { return false }
            way.jumps += 1
            guard way.jumps < 1_000_000 else {
                way.doubtAll(step)
                way.end(.accept, step)
                return true
            }
            if case .jump = target { way.callers.append((chain, index)) }
            (chain, index) = (next, 0)
        case .returnToCaller: return !goBack(&way, &chain, &index)
        case .accept:
            if table == .nat { way.translationStep = way.translationStep ?? step }
            way.passTable()
            return true
        case .drop: return OtherTarget.ending.act(step, &way, table)
        case .queue: return OtherTarget.queueing.act(step, &way, table)
        case .helper(let name): way.helper = name
        case .none: break
        case .other(let other): return OtherTarget(other.name, at: hook).act(step, &way, table)
        }
        return false
    }

    private func change(_ operation: ConnectionMarkOperation, _ step: Judgement.Step, _ way: inout Way) {
        switch operation {
        case .set(let value, let mask):
            way.packet.connectionMark = way.packet.connectionMark.replaced(mask, by: PartialMark(value), .max)
        case .save(let connectionMask, let packetMask):
            way.packet.connectionMark = way.packet.connectionMark.replaced(connectionMask, by: way.packet.mark, packetMask)
        case .restore(let connectionMask, let packetMask):
            way.packet.mark = way.packet.mark.replaced(packetMask, by: way.packet.connectionMark, connectionMask)
            way.markStep = step
            if way.packet.mark.unknown != 0 { way.markDoubt = step }
        }
    }

    private func translate(_ translation: Judgement.Translation, _ step: Judgement.Step, _ way: inout Way) -> Bool {
        way.translation = translation
        way.translationStep = step
        way.passTable()
        return true
    }
}
