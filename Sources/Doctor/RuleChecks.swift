import ConfigurationFile
import Importer
import Netlink
import Rules

/// Another rule that sets the same bits of the mark.
enum ForeignMarks: Check {
    static let name = "foreign-marks"

    static func examine(_ facts: Facts) -> Verdict {
        facts.judgeRules { rules in
            var verdict = Verdict()
            for family in Family.allCases {
                // Before IPVS, which sees packets in INPUT, stand the rules of both hooks.
                for hook in [ChainName.prerouting, ChainName(fromKernel: "INPUT")] {
                    for met in rules.rulesMet(family, .mangle, hook: hook) where met.mayMark {
                        let services = facts.configuration.allServices.filter { collides(met.rule, $0, family) }
                        guard let first = services.first else { continue }
                        let others = services.count > 1 ? " and \(services.count - 1) more" : ""
                        verdict.findings.append(
                            finding(
                                .warning, "`\(met.rule.command)` also sets marks of packets of \(first.name)\(others).",
                                met.isBeforeOurs
                                    ? "Ours comes after it and decides; whatever needed the other mark does not get it any more."
                                    : "It comes after ours: IPVS sees the other mark, and sends the packet elsewhere or nowhere.",
                                "\(family.command)-legacy -t mangle -S \(met.rule.chain)", "fwmarkctl explain --kernel --help"))
                    }
                }
            }
            return verdict
        }
    }

    private static func collides(_ rule: FoundRule, _ service: Service, _ family: Family) -> Bool {
        if let mark = rule.parsed.mark, !mark.conflicts(with: service.mark) { return false }
        return service.meets(rule, family)
    }
}

/// A rule before our jump that ends the packet's way.
enum RulesBeforeOurs: Check {
    static let name = "rules-before-ours"

    static func examine(_ facts: Facts) -> Verdict {
        facts.judgeRules { rules in
            var verdict = Verdict()
            for family in Family.allCases {
                for table in Table.allCases {
                    for met in rules.rulesMet(family, table, hook: table.hook) where met.mayEnd && met.isBeforeOurs {
                        let names =
                            table == .mangle
                            ? facts.configuration.allServices.filter { $0.meets(met.rule, family) }.map(\.name)
                            : facts.configuration.allMasquerades.filter { $0.meets(met.rule, family) }.map(\.name)
                        guard let first = names.first else { continue }
                        let others = names.count > 1 ? " and \(names.count - 1) more" : ""
                        verdict.findings.append(
                            finding(
                                .warning,
                                "`\(met.rule.command)` stands before fwmarkd's jump and may end the way of packets of \(first)\(others).",
                                table == .mangle
                                    ? "Packets that it takes are not marked, and IPVS does not know them."
                                    : "Connections that it takes are not translated as the file says.",
                                "\(family.command)-legacy -t \(table) -S \(table.hook)",
                                "\(family.command)-legacy -t \(table) -D \(table.hook) -m comment --comment fwmarkd -j \(table.entryChain)",
                                "fwmarkctl apply    # puts the jump first again, unless hook-position says last"))
                    }
                }
            }
            return verdict
        }
    }
}

/// A routing rule that asks for a mark of ours.
enum RoutingRules: Check {
    static let name = "routing-rules"

    static func examine(_ facts: Facts) -> Verdict {
        guard !facts.configuration.allServices.isEmpty else { return .silent }
        let routing: RoutingState
        switch facts.routing {
        case .known(let known): routing = known
        case .unknown(let reason): return .notRun(reason)
        }
        var verdict = Verdict()
        for rule in routing.rules {
            // Marked packets that are made local are how a director takes VIPs that it does not have: meant so.
            let isLocal = routing.defaults.contains { $0.family == rule.family && $0.table == rule.table && $0.isLocal }
            let services = facts.configuration.allServices.filter { service in
                rule.matches(service.mark.value) && service.addresses.contains { $0.family == rule.family }
            }
            guard !isLocal, let first = services.first else { continue }
            let mask = rule.mask == .max ? "" : "/0x\(String(rule.mask, radix: 16))"
            let mark = "0x\(String(rule.mark, radix: 16))\(mask)"
            let ip = rule.family == .ipv4 ? "ip" : "ip -6"
            let destination = rule.table == 0 ? "does something else with them" : "sends them to the routing table \(rule.table)"
            verdict.findings.append(
                finding(
                    .warning,
                    "the routing rule \(rule.priority) asks for fwmark \(mark), which packets of \(first.name) have, and \(destination).",
                    "Marked packets do not come to IPVS when they are routed past this machine: IPVS takes only what is for the machine itself.",
                    "\(ip) rule show", rule.table == 0 ? "\(ip) rule show fwmark \(mark)" : "\(ip) route show table \(rule.table)",
                    "\(ip) rule del priority \(rule.priority)"))
        }
        return verdict
    }
}

extension Facts {
    /// What the body says of the rules, if they are known.
    fileprivate func judgeRules(_ body: (FoundRules) -> Verdict) -> Verdict {
        switch rules {
        case .known(let rules): body(rules)
        case .unknown(let reason): .notRun(reason)
        }
    }
}

extension Service {
    /// Whether some packet of the service may fit the rule.
    fileprivate func meets(_ rule: FoundRule, _ family: Family) -> Bool {
        addresses.contains { address in
            address.family == family
                && ports.contains { transport, ranges in
                    rule.parsed.mayMeet(
                        ParsedRule(
                            destination: AddressMatch(address), inInterface: inInterface,
                            transport: TransportMatch(transport, .destinations(ranges))))
                }
        }
    }
}

extension Masquerade {
    /// Whether some packet of the masquerade may fit the rule.
    fileprivate func meets(_ rule: FoundRule, _ family: Family) -> Bool {
        let transports: [TransportMatch?] = ports.isEmpty ? [nil] : ports.map { TransportMatch($0.key, .sources($0.value)) }
        let destinations: [AddressMatch?] = self.destinations.isEmpty ? [nil] : self.destinations
        return sources.contains { source in
            source.family == family
                && transports.contains { transport in
                    destinations.contains { destination in
                        rule.parsed.mayMeet(
                            ParsedRule(
                                source: AddressMatch(source), destination: destination, outInterface: outInterface,
                                transport: transport))
                    }
                }
        }
    }
}
