// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A rule before our jump that ends the packet's way.
enum RulesBeforeOurs: Check {
    static let name = "rules-before-ours"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.firewall.judge { firewall in
            var verdict = CheckResult()
            for table in firewall.tables {
                guard case .legacy(let kind) = table.origin else { continue }
                for (hook, entry) in kind.entries {
                    guard let chain = table.number(hook.chain) else { continue }
                    for rule in ReachedRule.all(in: table, from: chain) where rule.isBeforeOurs == true && ends(rule, chain) {
                        let names = hit(rule, kind, hook, table.family, facts)
                        guard let first = names.first else { continue }
                        let others = names.count > 1 ? " and \(names.count - 1) more" : ""
                        let program = "\(table.family.command)-legacy -t \(kind)"
                        verdict.findings.append(
                            finding(
                                .warning,
                                "\(table.text(rule.chain, rule.number)) is before fwmarkd's jump and may end the way of packets of \(first)\(others).",
                                kind == .mangle
                                    ? "Packets that it takes are not marked, and IPVS does not know them."
                                    : "Connections that it takes are not treated as the file says.",
                                "\(program) -S \(hook.chain)", "\(program) -D \(hook.chain) -j \(entry)",
                                "fwmarkctl apply    # puts the jump first again, unless hook-position says last"))
                    }
                }
            }
            return verdict
        }
    }

    private static func ends(_ rule: ReachedRule, _ start: Int) -> Bool {
        switch rule.rule.target {
        case .returnToCaller: rule.chain == start
        case .accept, .drop, .queue: true
        default: [.drop, .translate].contains(rule.rule.target.effect)
        }
    }

    private static func hit(
        _ rule: ReachedRule, _ table: Table, _ hook: Hook, _ family: Family, _ facts: Facts
    ) -> [String] {
        switch table {
        case .nat:
            facts.configuration.allMasquerades.filter { rule.mayMatch(TrafficClass($0, family)) && $0.isOf(family) }.map(\.name)
        default:
            facts.marked.filter { entry in
                let wanted = table == .raw ? entry.service.savesMark : entry.service.hooks.contains(hook)
                return wanted && entry.families.contains(family)
                    && rule.mayMatch(TrafficClass(entry.service, family, mark: nil))
            }.map(\.service.name)
        }
    }
}

/// Rules of nf_tables that translate see the same connections, and are shown by no iptables-legacy.
enum NftTranslations: Check {
    static let name = "nft-translations"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.firewall.judge { firewall in
            var verdict = CheckResult()
            var told: Set<String> = []
            for table in firewall.tables {
                guard case .nftables = table.origin else { continue }
                for chain in table.chains.indices where table.chains[chain].base?.hook == .postrouting {
                    for rule in ReachedRule.all(in: table, from: chain) where rule.rule.target.effect == .translate {
                        let names = facts.configuration.allMasquerades.filter {
                            $0.isOf(table.family) && rule.mayMatch(TrafficClass($0, table.family))
                        }.map(\.name)
                        guard let first = names.first, told.insert(table.text(rule.chain, rule.number)).inserted else { continue }
                        verdict.findings.append(
                            finding(
                                .warning,
                                "\(table.text(rule.chain, rule.number)) may translate connections of \(first) too"
                                    + "\(names.count > 1 ? " (and of \(names.count - 1) more)" : "").",
                                "nf_tables and the legacy tables both see every connection, and the first translation decides.",
                                table.listing(rule.chain)))
                    }
                }
            }
            return verdict
        }
    }
}

extension Masquerade {
    /// Whether it can be about packets of the family.
    func isOf(_ family: Family) -> Bool {
        let has: (Selection<Prefix>) -> Bool = { $0.included.isEmpty || $0.included.contains { $0.family == family } }
        return has(sources) && has(destinations)
    }
}
