// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// The rules of a table that some packets of a hook may match, chain by chain, with the numbers that they have in the table.
struct Remaining {
    /// A rule.
    struct Placed {
        let rule: Rule
        /// What is still to be asked: all else matches.
        var left: RuleMatch
        /// Its number in the chain, counted from 1.
        let number: Int
        /// How many rules of the chain up to it are in both versions of the table.
        let ordinal: Int
        /// Whether it is in one of two versions of the table alone.
        let isFocus: Bool
        /// The number of the chain that it leads to, or -1.
        var target: Int
    }

    private struct PlacedChain {
        let name: ChainName
        let policy: Verdict?
        var rules: [Placed]
    }

    /// The hook's chain first; all others can be reached from it.
    private var chains: [PlacedChain] = []
    /// How many rules there are.
    private(set) var count = 0
    /// Whether rules are left that are in one version alone.
    private(set) var hasFocus = false

    private init() {}

    /// The rules that can be reached from the hook. In focus are those of the numbers, counted from 0, and what our chains do.
    init(_ table: [Chain], _ focus: [ChainName: Set<Int>], from hook: Hook) {
        let numbers = Dictionary(zip(table.map(\.name), table.indices), uniquingKeysWith: { first, _ in first })
        var all = Remaining()
        for chain in table {
            var others = 0
            let rules = chain.rules.enumerated().map { index, rule in
                let isOurs = chain.name.isOurs && rule.target.chain == nil && rule.target != .returnToCaller && rule.target != .none
                let isFocus = isOurs || focus[chain.name]?.contains(index) == true
                let isOurJump = rule.target.chain?.isOurs == true && rule.match.isUnconditional
                if !isFocus && !isOurJump { others += 1 }
                return Placed(
                    rule: rule, left: rule.withOwnAnswers("\(chain.name) \(others)"), number: index + 1, ordinal: others,
                    isFocus: isFocus,
                    target: rule.target.chain.flatMap { numbers[$0] } ?? -1)
            }
            all.chains.append(PlacedChain(name: chain.name, policy: chain.policy, rules: rules))
        }
        guard let start = numbers[hook.chain] else { return }
        self = all.reachable(from: start) { $0 }
    }

    /// What remains when rules that cannot match go, and the others ask for what is left.
    func kept(_ left: (RuleMatch) -> RuleMatch?) -> Remaining { chains.isEmpty ? self : reachable(from: 0, left) }

    private func reachable(from start: Int, _ left: (RuleMatch) -> RuleMatch?) -> Remaining {
        var result = Remaining()
        var newNumbers = [start: 0]
        var queue = [start]
        var next = 0
        while next < queue.count {
            let chain = chains[queue[next]]
            next += 1
            for var rule in Remaining.effective(chain.rules, left) {
                if rule.target >= 0 {
                    let number = newNumbers[rule.target] ?? queue.count
                    if number == queue.count {
                        newNumbers[rule.target] = number
                        queue.append(rule.target)
                    }
                    rule.target = number
                }
                result.hasFocus = result.hasFocus || rule.isFocus
                result.count += 1
                if result.chains.count < next {
                    result.chains.append(PlacedChain(name: chain.name, policy: chain.policy, rules: []))
                }
                result.chains[next - 1].rules.append(rule)
            }
            if result.chains.count < next { result.chains.append(PlacedChain(name: chain.name, policy: chain.policy, rules: [])) }
        }
        return result
    }

    /// The rules that may match, without marks that a later rule overwrites in any case.
    private static func effective(_ rules: [Placed], _ left: (RuleMatch) -> RuleMatch?) -> [Placed] {
        var kept: [Placed] = []
        var isOverwritten = false
        for var rule in rules.reversed() {
            guard let asked = left(rule.left) else { continue }
            rule.left = asked
            guard case .mark(let operation) = rule.rule.target else {
                // A rule without a target that does nothing is no reason to keep marks.
                if rule.rule.target != .none { isOverwritten = false }
                kept.append(rule)
                continue
            }
            if isOverwritten { continue }
            if operation.mask == .max, asked.isUnconditional { isOverwritten = true }
            kept.append(rule)
        }
        return kept.reversed()
    }

    /// What the rules ask for.
    var matches: [RuleMatch] { chains.flatMap { $0.rules.map(\.left) } }

    /// The rule of a chain that is in both versions, by its ordinal.
    func common(_ chain: ChainName, _ ordinal: Int) -> Placed? {
        chains.first { $0.name == chain }?.rules.first { !$0.isFocus && $0.ordinal == ordinal }
    }

    func forEachRule(_ body: (Placed) -> Void) {
        for chain in chains { for rule in chain.rules { body(rule) } }
    }

    /// The rules for a judge.
    var compiled: CompiledTable {
        CompiledTable(
            chains: chains.map { Chain($0.name, policy: $0.policy, $0.rules.map { Rule($0.left, target: $0.rule.target) }) },
            targets: chains.map { $0.rules.map(\.target) }, numbers: chains.isEmpty ? [:] : [chains[0].name: 0])
    }

    /// The step with the number that its rule has in the table, and the rule.
    func place(_ step: Judgement.Step) -> (Judgement.Step, Placed)? {
        guard let chain = chains.first(where: { $0.name == step.chain }), chain.rules.indices.contains(step.number - 1) else {
            return nil
        }
        let rule = chain.rules[step.number - 1]
        return (Judgement.Step(step.table, step.chain, rule.number, rule.rule), rule)
    }
}

extension Rule {
    /// The match, with conditions that have a memory or throw dice distinguished from equal ones of other rules.
    fileprivate func withOwnAnswers(_ place: @autoclosure () -> String) -> RuleMatch {
        let names: Set<String> = [
            "limit", "hashlimit", "statistic", "recent", "quota", "quota2", "connlimit", "rateest", "nth", "random", "time",
            "connbytes", "bpf",
        ]
        guard match.conditions.contains(where: { if case .other(let other) = $0 { names.contains(other.name) } else { false } })
        else {
            return match
        }
        let place = place()
        var match = match
        match.conditions = match.conditions.map { condition in
            guard case .other(let other) = condition, names.contains(other.name) else { return condition }
            return .other(ExtensionBytes(name: "\(other.name) in \(place)", revision: other.revision, bytes: other.bytes))
        }
        return match
    }
}

extension RuleMatch {
    /// What is left to be asked of packets like this one; nil: they do not match.
    func left(for packet: JudgedPacket, at hook: Hook) -> RuleMatch? {
        guard fits(packet, at: hook) != false else { return nil }
        var left = self
        if packet.source != nil { left.source = nil }
        if packet.destination != nil { left.destination = nil }
        if packet.inInterface != nil || hook == .output { left.inInterface = nil }
        if packet.outInterface != nil || hook == .prerouting || hook == .input { left.outInterface = nil }
        // Ports keep their protocol: it says how they are asked for.
        if packet.protocolNumber != nil { left.transport = nil }
        if packet.isFurtherFragment != nil { left.isFurtherFragment = nil }
        left.conditions.removeAll { $0.fits(packet, transport) == true }
        return left
    }

    /// What is left to be asked of packets whose number is in this range; nil: they do not match.
    func left(_ field: PacketField, from lower: UInt128, to upper: UInt128) -> RuleMatch? {
        var left = self
        let all = numbers(field)
        guard all.allSatisfy({ $0.isPossible(lower, upper) }) else { return nil }
        guard !all.isEmpty else { return self }
        if field == .source, let match = source, match.covers(lower, upper) { left.source = nil }
        if field == .destination, let match = destination, match.covers(lower, upper) { left.destination = nil }
        left.conditions.removeAll { condition in
            // What a fragment is asked for it does not have.
            if case .ports(let ports) = condition, ports.side == .either { return false }
            let own = RuleMatch(conditions: [condition]).numbers(field)
            return !own.isEmpty && own.allSatisfy { $0.isCertain(lower, upper) }
        }
        return left
    }
}

extension AddressMatch {
    fileprivate func covers(_ lower: UInt128, _ upper: UInt128) -> Bool {
        NumberMatch(ranges: [prefix.address.bits...prefix.last.bits], isInverted: isInverted).isCertain(lower, upper)
    }
}

extension NumberMatch {
    /// Whether all numbers from `lower` to `upper` match.
    func isCertain(_ lower: UInt128, _ upper: UInt128) -> Bool {
        !NumberMatch(ranges: ranges, isInverted: !isInverted).isPossible(lower, upper)
    }
}
