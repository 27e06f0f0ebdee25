package import API
package import ConfigurationFile
package import Netfilter
package import Planner
import Rules

extension Status {
    /// The status with what the tables say: rules, and what each service and each translation has seen.
    ///
    /// - Parameters:
    ///   - owners: whose the rules of the configuration are.
    ///   - tables: the tables that exist, read at one moment each.
    package func filled(_ configuration: Configuration, _ owners: RuleOwners, _ tables: [TableSnapshot]) -> Status {
        var status = self
        let seen = CountersByName(tables, owners)
        status.tables = tables.filter { $0.chains.contains { $0.name.isOurs } }.map { TableStatus($0) }
        status.services = configuration.allServices.map { service in
            let counters = seen[.mangle, service.name]
            return ServiceStatus(
                name: service.name, mark: service.mark.description, addresses: service.addresses.map(text),
                ports: ports(service.ports),
                inInterface: service.inInterface?.description, packets: counters.packets, bytes: counters.bytes)
        }
        status.masquerades = configuration.allMasquerades.map { masquerade in
            let counters = seen[.nat, masquerade.name]
            return MasqueradeStatus(
                name: masquerade.name, sources: masquerade.sources.map(text), ports: ports(masquerade.ports),
                destinations: masquerade.destinations.map { ($0.isInverted ? "!" : "") + text($0.prefix) },
                outInterface: masquerade.outInterface?.description, to: text(masquerade.to), packets: counters.packets,
                bytes: counters.bytes)
        }
        return status
    }
}

extension RuleList {
    /// Every rule of ours in the tables, our jumps included.
    package init(_ tables: [TableSnapshot]) {
        var rules: [RuleMessage] = []
        for table in tables {
            for chain in table.chains {
                for (index, rule) in chain.rules.enumerated() where chain.name.isOurs || rule.content.chain?.isOurs == true {
                    rules.append(
                        RuleMessage(
                            family: table.id.family.rawValue, table: table.id.table.rawValue, chain: chain.name.text,
                            number: index + 1,
                            rule: "-A \(chain.name) \(rule.content)", packets: rule.counters.packets, bytes: rule.counters.bytes))
                }
            }
        }
        self.init(rules: rules)
    }
}

extension TableStatus {
    fileprivate init(_ table: TableSnapshot) {
        var (chains, rules, foreign) = (0, 0, 0)
        for chain in table.chains {
            if chain.name.isOurs {
                chains += 1
                rules += chain.rules.count
            } else {
                foreign += chain.rules.count { $0.content.chain?.isOurs != true }
            }
        }
        self.init(
            family: table.id.family.rawValue, table: table.id.table.rawValue, chains: chains, rules: rules, foreignRules: foreign)
    }
}

/// What the rules of each service and translation have seen.
private struct CountersByName {
    private var counters: [Table: [String: Counters]] = [:]

    init(_ tables: [TableSnapshot], _ owners: RuleOwners) {
        for table in tables {
            for chain in table.chains where chain.name.isOurs {
                for rule in chain.rules {
                    guard case .rule(let content) = rule.content, let name = owners.owner(of: content, in: table.id) else {
                        continue
                    }
                    counters[table.id.table, default: [:]][name, default: Counters()].packets &+= rule.counters.packets
                    counters[table.id.table, default: [:]][name, default: Counters()].bytes &+= rule.counters.bytes
                }
            }
        }
    }

    subscript(table: Table, name: String) -> Counters { counters[table]?[name] ?? Counters() }
}

/// The block as people write it: a single address without its length.
private func text(_ prefix: Prefix) -> String {
    prefix.length == prefix.family.bitWidth ? prefix.address.description : prefix.description
}

private func text(_ translation: SourceTranslation) -> String {
    switch translation {
    case .masquerade: "masquerade"
    case .address(let address): address.description
    }
}

private func ports(_ ports: [TransportProtocol: [PortRange]]) -> [String] {
    TransportProtocol.allCases.flatMap { transport in (ports[transport] ?? []).map { "\(transport)/\($0)" } }
}
