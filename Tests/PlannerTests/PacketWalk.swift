// SPDX-License-Identifier: GPL-2.0-or-later
import Judge
import Planner
import Rules

extension Judge {
    /// A judge of the plan's tables: in each hook nothing but our jump.
    init(_ plan: Plan) {
        var tables = plan.ruleset.tables
        for id in tables.keys {
            tables[id]? += plan.ruleset.jumps(id).map { Chain($0.hook.chain, policy: .accept, [$0.jump]) }
        }
        self.init(tables: tables)
    }
}

/// Packets on their way through the marks of a plan, and how many rules they are compared with: what the table costs them.
struct PacketWalk {
    private let judge: Judge
    private let chains: [ChainName: [Rule]]

    init(_ plan: Plan) {
        judge = Judge(plan)
        let mangle = plan.ruleset.tables[TableID(.ipv4, .mangle)] ?? []
        chains = Dictionary(uniqueKeysWithValues: mangle.map { ($0.name, $0.rules) })
    }

    func judge(_ packet: JudgedPacket) -> Judgement { judge.judge(packet, at: .prerouting, only: .mangle) }

    func rulesMet(_ packet: JudgedPacket) -> Int { rulesMet(judge(packet)) }

    /// How many rules of our chains the packet met; in each chain all up to the last that it matched, and the rest if it
    /// came back or went on to the chain's end.
    func rulesMet(_ judgement: Judgement) -> Int {
        var count = 0
        var open: [ChainName: Int] = [:]
        for step in judgement.steps.dropFirst() {
            count += step.number - (open[step.chain] ?? 0)
            open[step.chain] = step.number
            if case .goTo = step.rule.target { open[step.chain] = chains[step.chain]?.count }
            if let next = step.rule.target.chain { open[next] = 0 }
        }
        if let first = judgement.steps.first?.rule.target.chain, open[first] == nil { open[first] = 0 }
        return open.reduce(count) { $0 + (chains[$1.key]?.count ?? 0) - $1.value }
    }
}
