// SPDX-License-Identifier: GPL-2.0-or-later
import Judge
import Rules

/// What one base chain, of x_tables or nf_tables, and the chains below it do to packets: the judge's answer, in the places of the table.
struct BaseChainJudge {
    /// Who drops a packet.
    struct Place: Hashable {
        /// The chain's number.
        var chain: Int
        /// The rule's number; nil: the policy.
        var rule: Int?
    }

    /// The table.
    let table: FirewallTable
    /// The base chain's number.
    let chain: Int
    /// How many rules the table has: what a judgement costs at most, without loops.
    let ruleCount: Int
    private let judge: Judge
    private let hook: Hook

    /// A judge of the base chain; nil for a chain that packets do not enter by themselves.
    init?(_ table: FirewallTable, _ chain: Int) {
        guard let base = table.chains[chain].base else { return nil }
        (self.table, self.chain, hook) = (table, chain, base.hook)
        // To the judge the base chain is the built-in chain of the hook, in the one table that has all hooks.
        var chains = table.chains.map { Chain($0.id, $0.rules.map(\.rule)) }
        chains.remove(at: chain)
        let entry = Chain(hook.chain, policy: base.dropsAtEnd ? .drop : .accept, table.chains[chain].rules.map(\.rule))
        judge = Judge(tables: [TableID(table.family, .mangle): [entry] + chains])
        ruleCount = table.chains.reduce(0) { $0 + $1.rules.count }
    }

    /// Who drops the packet for certain; nil: it passes, or that depends on what is not known. The packet then bears the mark that it
    /// leaves with.
    func dropper(of packet: inout JudgedPacket) -> Place? {
        let judgement = judge.judge(packet, at: hook, only: .mangle)
        if let mark = judgement.mark.value { packet.mark = PartialMark(mark) } else { packet.mark = .unknown }
        packet.isDestinationTranslated = judgement.isDestinationTranslated
        guard judgement.verdict.value == .drop, let step = judgement.verdictStep else { return nil }
        let place = step.chain == hook.chain ? chain : table.number(step.chain) ?? chain
        return Place(chain: place, rule: step.number > 0 ? step.number - 1 : nil)
    }
}
