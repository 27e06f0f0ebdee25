// SPDX-License-Identifier: GPL-2.0-or-later
import Netfilter
import Planner
import Rules

/// What the rules of each service and translation have seen.
struct ServiceCounters {
    private var counters: [Table: [String: Counters]] = [:]

    /// The sums over rules that mark or translate.
    ///
    /// Rules are known by their place in the plan. In a chain that is not as planned they are found by what they say.
    init(_ tables: [TableSnapshot], _ plan: Plan) {
        for table in tables where table.id.table != .raw {
            let planned = Dictionary(
                (plan.ruleset.tables[table.id] ?? []).map { ($0.name, $0.rules) }, uniquingKeysWith: { first, _ in first })
            for chain in table.chains where chain.name.isOurs {
                guard let wanted = planned[chain.name] else { continue }
                add(chain, wanted, table.id, plan.owners)
            }
        }
    }

    private mutating func add(_ chain: ChainSnapshot, _ wanted: [Rule], _ id: TableID, _ owners: Owners) {
        let isAsPlanned =
            chain.rules.commonEnds(with: KernelRules(wanted)).head == wanted.count && wanted.count == chain.rules.count
        var places: [Rule: Int] = [:]
        if !isAsPlanned { places = Dictionary(wanted.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first }) }
        for (index, rule) in chain.rules.enumerated() {
            let place = isAsPlanned ? index : places[rule.rule]
            guard let place, wanted[place].target.counts, rule.counters.packets > 0,
                let name = owners.owner(in: id, chain: chain.name, number: place + 1)
            else { continue }
            counters[id.table, default: [:]][name, default: Counters()].packets &+= rule.counters.packets
            counters[id.table, default: [:]][name, default: Counters()].bytes &+= rule.counters.bytes
        }
    }

    /// What the rules of that service or translation have seen.
    subscript(table: Table, name: String) -> Counters { counters[table]?[name] ?? Counters() }
}

extension Target {
    /// Whether a packet that meets it has got what its service or translation gives.
    fileprivate var counts: Bool {
        switch self {
        case .mark, .masquerade, .sourceNAT, .accept: true
        default: false
        }
    }
}
