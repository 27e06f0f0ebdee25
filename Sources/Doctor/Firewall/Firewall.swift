// SPDX-License-Identifier: GPL-2.0-or-later
import Netlink
package import Rules

/// All tables that packets meet, of x_tables and of nf_tables.
package struct Firewall: Sendable {
    /// The tables, in no order.
    package var tables: [FirewallTable]

    /// These tables.
    package init(_ tables: [FirewallTable] = []) { self.tables = tables }

    /// The base chains of a hook, in the order in which a packet of the family meets them.
    func baseChains(_ family: Family, _ hook: Hook) -> [(table: FirewallTable, chain: Int)] {
        let found = tables.filter { $0.family == family }.flatMap { table in
            table.chains.indices.compactMap { index in
                table.chains[index].base.flatMap { $0.hook == hook ? (table, index, $0.priority) : nil }
            }
        }
        return found.sorted { $0.2 < $1.2 }.map { ($0.0, $0.1) }
    }

    /// The rules that packets of a service may meet at the hooks, in the order in which they meet them: each rule with where it is, and
    /// with the services of its family. What the body says of a rule is said once, however many ways lead to it.
    func findings(
        _ facts: Facts, at hooks: [Hook], _ body: (ReachedRule, FirewallTable, Int, Hook, ServiceIndex) -> Finding?
    ) -> CheckResult {
        var result = CheckResult()
        var known: Set<String> = []
        for family in Family.allCases {
            let services = ServiceIndex(facts, family)
            for hook in hooks {
                for (table, chain) in baseChains(family, hook) {
                    for rule in ReachedRule.all(in: table, from: chain) {
                        guard let finding = body(rule, table, chain, hook, services),
                            known.insert(table.text(rule.chain, rule.number)).inserted
                        else { continue }
                        result.findings.append(finding)
                    }
                }
            }
        }
        return result
    }
}

/// A table of x_tables or nf_tables, as packets of one family meet it.
package struct FirewallTable: Sendable {
    /// Where it is from.
    package enum Origin: Sendable, Hashable {
        /// x_tables: `mangle`.
        case legacy(Table)
        /// nf_tables, by its name there: `inet firewalld`.
        case nftables(String)
    }

    /// Where it is from.
    package let origin: Origin
    /// The family of the packets.
    package let family: Family
    /// Its chains.
    package let chains: [FirewallChain]
    private let numbers: [ChainName: Int]

    /// A table of these chains.
    package init(_ origin: Origin, _ family: Family, _ chains: [FirewallChain]) {
        (self.origin, self.family, self.chains) = (origin, family, chains)
        numbers = Dictionary(chains.enumerated().map { ($0.element.id, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// A table of nf_tables; `decode` reads matches and targets of x_tables in its rules.
    init(_ table: NftTable, decode: (Rule, Family) -> Rule) {
        self.init(
            .nftables(table.name), table.family,
            table.chains.map { chain in
                FirewallChain(
                    chain.id, name: chain.name,
                    base: chain.base.map {
                        FirewallChain.Base(hook: $0.hook, priority: Int($0.priority), dropsAtEnd: $0.dropsAtEnd)
                    },
                    rules: chain.rules.map { FirewallRule(decode($0.rule, table.family), handle: $0.handle) })
            })
    }

    /// The number of the chain in `chains`.
    func number(_ chain: ChainName) -> Int? { numbers[chain] }

    /// The rule as a person would look for it: a command of iptables, or the place in nft.
    func text(_ chain: Int, _ rule: Int) -> String {
        let found = chains[chain].rules[rule]
        switch origin {
        case .legacy(let table):
            let place = table == .filter ? "" : " -t \(table)"
            return "`\(family.command)-legacy\(place) -A \(chains[chain].id) \(printable(found.rule.iptablesSyntax))`"
        case .nftables(let name):
            let words = printable(found.rule.iptablesSyntax)
            return "nft rule \(printable(name)) \(printable(chains[chain].name)) handle \(found.handle) (\(words))"
        }
    }

    /// A built-in chain's policy as a person would look for it.
    func policyText(_ chain: Int) -> String {
        switch origin {
        case .legacy(let table):
            "the policy DROP of \(chains[chain].id) in \(family.command)-legacy's table \(table)"
        case .nftables(let name): "the policy drop of the nf_tables chain \(printable(name)) \(printable(chains[chain].name))"
        }
    }

    /// What to type to see the chain.
    func listing(_ chain: Int) -> String {
        switch origin {
        case .legacy(let table): "\(family.command)-legacy -t \(table) -S \(chains[chain].id)"
        case .nftables(let name): "nft -a list chain \(printable(name)) \(printable(chains[chain].name))"
        }
    }
}

/// A chain of the packet filter.
package struct FirewallChain: Sendable {
    /// Where packets enter a base chain.
    package struct Base: Sendable, Hashable {
        /// The hook.
        package var hook: Hook
        /// Its place among the hook's chains (`enum nf_ip_hook_priorities`).
        package var priority: Int
        /// Whether packets that reach the end are dropped.
        package var dropsAtEnd: Bool

        /// A place in a packet's way.
        package init(hook: Hook, priority: Int, dropsAtEnd: Bool = false) {
            (self.hook, self.priority, self.dropsAtEnd) = (hook, priority, dropsAtEnd)
        }

        /// That of a built-in chain of x_tables; nil for other chains.
        package init?(_ table: Table, _ chain: ChainName, dropsAtEnd: Bool) {
            guard let hook = Hook(chain: chain) else { return nil }
            let isSource = hook == .postrouting || hook == .input
            let priority =
                switch table {
                case .raw: -300
                case .mangle: -150
                case .nat: isSource ? 100 : -100
                case .filter: 0
                case .security: 50
                }
            self.init(hook: hook, priority: priority, dropsAtEnd: dropsAtEnd)
        }
    }

    /// The name by which rules lead to it.
    package let id: ChainName
    /// Its name where it is from.
    package let name: String
    /// Where packets enter it; nil: through other chains alone.
    package let base: Base?
    /// Its rules in order.
    package var rules: [FirewallRule]

    /// A chain of these parts.
    package init(_ id: ChainName, name: String? = nil, base: Base? = nil, rules: [FirewallRule] = []) {
        (self.id, self.name, self.base, self.rules) = (id, name ?? id.text, base, rules)
    }
}

/// A rule of the packet filter.
package struct FirewallRule: Sendable, Hashable {
    /// What it asks and does.
    package let rule: Rule
    /// Its number in nf_tables.
    package let handle: UInt64

    /// A rule of these parts.
    package init(_ rule: Rule, handle: UInt64 = 0) { (self.rule, self.handle) = (rule, handle) }
}

extension Target {
    /// What of a target the checks ask for.
    enum Effect: Hashable {
        case drop, accept, translate, mark, other
    }

    /// What the target does to a packet.
    var effect: Effect {
        switch self {
        case .drop, .queue: .drop
        case .accept: .accept
        case .masquerade, .sourceNAT, .destinationNAT: .translate
        case .mark, .connectionMark(.restore): .mark
        case .other(let extensionBytes):
            switch extensionBytes.name {
            case "REJECT", "TARPIT", "NFQUEUE", "SYNPROXY", "STEAL": .drop
            case "SNAT", "DNAT", "MASQUERADE", "REDIRECT", "NETMAP", "TPROXY": .translate
            case "MARK", "CONNMARK", "HMARK": .mark
            default: .other
            }
        default: .other
        }
    }
}
