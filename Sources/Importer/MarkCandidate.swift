import ConfigurationFile
import Rules

/// A rule that marks what a service of the configuration could mark.
struct MarkCandidate {
    let rule: FoundRule
    let mark: Mark
    let address: Prefix
    let transport: TransportProtocol
    let ports: [PortRange]
    let inInterface: InterfacePattern?

    /// The service of this rule alone.
    var service: Service { service(named: "") }

    func service(named name: String) -> Service {
        Service(
            name: name, mark: mark, addresses: [address], ports: [transport: ports], inInterface: inInterface,
            position: SourcePosition(file: "", line: rule.number, column: 1))
    }

    /// What the rule says as a candidate, or why it is none.
    static func of(_ found: FoundRule) -> Result<MarkCandidate, Reason> {
        guard let rule = found.parsed.rule else { return .failure(Reason(unknown: found.parsed)) }
        guard case .mark(let mark) = rule.target else { return .failure("sets no mark") }
        if rule.source != nil { return .failure("a service has no sources (-s)") }
        if rule.outInterface != nil { return .failure("a service has no outgoing interface (-o)") }
        if rule.destination?.isInverted == true { return .failure("a service's addresses cannot be inverted (! -d)") }
        guard let transport = rule.transport else {
            return .failure("a service has a protocol and ports, and this marks every packet")
        }
        if transport.sourcePorts != nil { return .failure("a service has no source ports (--sport)") }
        guard let ports = usable(transport.destinationPorts) else { return .failure("no packet goes to port 0") }
        let everywhere = Prefix(containing: Address(family: found.family, bits: 0), length: 0)
        return .success(
            MarkCandidate(
                rule: found, mark: mark, address: rule.destination?.prefix ?? everywhere, transport: transport.transport,
                ports: ports, inInterface: rule.inInterface))
    }
}

/// Why a rule is not imported, as a phrase.
struct Reason: Error, Hashable, ExpressibleByStringInterpolation {
    let text: String

    init(stringLiteral text: String) { self.text = text }

    /// What of the rule there are no words for.
    init(unknown parsed: ParsedRule) {
        let words = parsed.unknown.joined(separator: " ")
        text = words.isEmpty ? "a target that says nothing a configuration can" : "no words for \(words)"
    }
}

/// The ports without 0, which no packet bears; nil for nothing else. All ports for nil.
func usable(_ ranges: [PortRange]?) -> [PortRange]? {
    let usable = (ranges ?? [.all]).compactMap { range in
        range.upper == 0 ? nil : PortRange(max(range.lower, 1), range.upper)
    }
    return usable.isEmpty ? nil : PortRange.merged(usable)
}
