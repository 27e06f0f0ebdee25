// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// A rule of another program that packets of a hook can come to.
struct ReachedRule {
    /// The chain's number in the table.
    let chain: Int
    /// The rule's number in the chain.
    let number: Int
    /// What the rule does and asks.
    let rule: Rule
    /// What the rules asked that lead to it; empty where several ways lead there.
    let path: [RuleMatch]
    /// Whether it comes before our jump; nil: the hook has none.
    let isBeforeOurs: Bool?
    /// A mark that the packet must not have had for an earlier rule of the chain, which sends all others away: `-m mark ! --mark
    /// 0x4000/0x4000 -j RETURN`.
    let guardingMark: MarkMatch?

    /// Whether a packet of the traffic may match the rule and all that lead to it.
    func mayMatch(_ traffic: TrafficClass) -> Bool { path.allSatisfy(traffic.mayMatch) && traffic.mayMatch(rule.match) }

    /// The rules that packets can come to from a base chain, in a packet's order; each once, chains of ours left out.
    static func all(in table: FirewallTable, from start: Int) -> [ReachedRule] {
        var rules: [ReachedRule] = []
        // Chains to which more than one rule leads.
        var callers = [Int](repeating: 0, count: table.chains.count)
        for chain in table.chains {
            for rule in chain.rules {
                if let name = rule.rule.target.chain, let number = table.number(name) { callers[number] += 1 }
            }
        }
        var seen: Set<Int> = [start]
        var stack: [(chain: Int, rule: Int, path: [RuleMatch], guardingMark: MarkMatch?)] = [(start, 0, [], nil)]
        let hasOurs = table.chains[start].rules.contains { isOurs($0.rule) }
        var isBefore: Bool? = hasOurs ? true : nil
        while var (chain, index, path, guardingMark) = stack.popLast() {
            while index < table.chains[chain].rules.count {
                let rule = table.chains[chain].rules[index].rule
                index += 1
                if isOurs(rule) {
                    if chain == start { isBefore = false }
                    continue
                }
                rules.append(
                    ReachedRule(
                        chain: chain, number: index - 1, rule: rule, path: path, isBeforeOurs: isBefore, guardingMark: guardingMark)
                )
                if let mark = rule.guardingMark { guardingMark = mark }
                guard let name = rule.target.chain, let next = table.number(name), seen.insert(next).inserted else { continue }
                stack.append((chain, index, path, guardingMark))
                // A path of thousands of jumps is not worth its memory: what is left out only makes more possible.
                path = callers[next] > 1 ? [] : (path + [rule.match]).suffix(16)
                (chain, index, guardingMark) = (next, 0, nil)
            }
        }
        return rules
    }

    private static func isOurs(_ rule: Rule) -> Bool { rule.target.chain?.isOurs == true && rule.match.isUnconditional }
}

extension Rule {
    /// The mark without which this rule sends packets back, if it asks for nothing else.
    fileprivate var guardingMark: MarkMatch? {
        guard target == .returnToCaller, match.conditions.count == 1, case .mark(let mark) = match.conditions[0], mark.isInverted,
            match.source == nil, match.destination == nil, match.inInterface == nil, match.outInterface == nil,
            match.transport == nil
        else { return nil }
        return MarkMatch(value: mark.value, mask: mark.mask)
    }
}
