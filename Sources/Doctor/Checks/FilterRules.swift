// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Judge
import Netlink
import Rules

/// Policies and rules, of x_tables and nf_tables, that drop what the services need.
enum FilterRules: Check {
    static let name = "filter-rules"
    /// How many rules are asked before the rest of the services is left out.
    private static let maximumSteps = 2_000_000

    static func examine(_ facts: Facts) -> CheckResult {
        facts.firewall.judge { firewall in
            let judges = judges(of: firewall)
            var culprits: [Culprit] = []
            var places: [String: Int] = [:]
            var steps = 0
            var verdict = CheckResult()
            let marked = facts.marked
            for (number, entry) in marked.enumerated() {
                if steps > maximumSteps {
                    verdict.notRun.append("only the first \(number) of \(marked.count) services were tried against the rules")
                    break
                }
                for family in entry.families {
                    for flow in ServiceFlow.all(entry.service, family, entry.ftp, facts) {
                        guard let culprit = culprit(of: flow, family, judges, &steps) else { continue }
                        if let place = places[culprit.text] {
                            culprits[place].others += 1
                        } else {
                            places[culprit.text] = culprits.count
                            culprits.append(culprit)
                        }
                    }
                }
            }
            verdict.findings = culprits.map(finding)
            return verdict
        }
    }

    /// A hook of a family.
    private struct Key: Hashable {
        let family: Family
        let hook: Hook
    }

    private static func judges(of firewall: Firewall) -> [Key: [BaseChainJudge]] {
        var judges: [Key: [BaseChainJudge]] = [:]
        for family in Family.allCases {
            for hook in Hook.allCases {
                judges[Key(family: family, hook: hook)] = firewall.baseChains(family, hook).compactMap { BaseChainJudge($0, $1) }
            }
        }
        return judges
    }

    /// Who drops a flow.
    private struct Culprit {
        let text: String
        let flow: ServiceFlow
        let hook: Hook
        let family: Family
        let origin: FirewallTable.Origin
        let listing: String
        let chain: String
        var others = 0
    }

    private static func culprit(
        of flow: ServiceFlow, _ family: Family, _ judges: [Key: [BaseChainJudge]], _ steps: inout Int
    ) -> Culprit? {
        var packet = flow.packet
        for hook in flow.hooks {
            // Before the last hook nothing has been marked, and the way out is not known.
            if hook != flow.hooks.last { packet.mark = PartialMark(0) }
            for judge in judges[Key(family: family, hook: hook)] ?? [] {
                steps += judge.ruleCount
                guard let place = judge.dropper(of: &packet) else { continue }
                let (table, chain) = (judge.table, judge.chain)
                // What is dropped by its mark is another check's finding.
                if let rule = place.rule, table.chains[place.chain].rules[rule].rule.match.asksForMark { continue }
                return Culprit(
                    text: place.rule.map { table.text(place.chain, $0) } ?? table.policyText(place.chain), flow: flow, hook: hook,
                    family: family, origin: table.origin, listing: table.listing(place.chain), chain: table.chains[chain].name)
            }
            packet.mark = flow.packet.mark
        }
        return nil
    }

    private static func finding(_ culprit: Culprit) -> Finding {
        let cure: String
        switch culprit.origin {
        case .legacy(let table):
            let place = table == .filter ? "" : " -t \(table)"
            cure = "\(culprit.family.command)-legacy\(place) -I \(culprit.hook.chain) \(culprit.flow.iptablesMatch) -j ACCEPT"
        case .nftables(let name):
            cure = "nft insert rule \(printable(name)) \(printable(culprit.chain)) \(culprit.flow.nftMatch) accept"
        }
        let others = culprit.others > 0 ? ", and \(culprit.others) more of the kind" : ""
        return finding(
            .problem, "\(culprit.text) drops \(culprit.flow.name)\(others).",
            culprit.hook == .forward
                ? "Answers and data connections of real servers pass through FORWARD; without them clients wait in vain."
                : culprit.hook == .output
                    ? "Packets that IPVS sends to real servers pass through OUTPUT."
                    : "IPVS takes packets in INPUT, after the filter: it never sees these.",
            culprit.listing, cure)
    }
}

extension RuleMatch {
    /// Whether the rule asks for the packet's mark.
    var asksForMark: Bool { conditions.contains { if case .mark = $0 { true } else { false } } }
}
