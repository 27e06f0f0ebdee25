import ConfigurationFile
import Rules

/// The rules that mark the packets of the services, as a person would write them: service by service, address by address.
func markRules(of services: [Service], _ family: Family) -> [PlacedRule] {
    var rules: [PlacedRule] = []
    rules.reserveCapacity(services.count)
    var matcher = PortMatcher(.destination)
    for service in services {
        let addresses = outermost(service.addresses, family)
        guard !addresses.isEmpty else { continue }
        let matches = matcher.matches(service.ports)
        for prefix in addresses {
            for match in matches {
                let rule = Rule(
                    destination: .of(prefix), inInterface: service.inInterface?.unlessAny, transport: match, comment: service.name,
                    target: .mark(service.mark))
                rules.append(PlacedRule(prefix: prefix, rule: rule))
            }
        }
    }
    return rules
}
