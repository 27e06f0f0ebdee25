import ConfigurationFile
import Rules

/// A rule that translates what an entry of `masquerade:` could translate.
struct TranslationCandidate {
    let rule: FoundRule
    let source: Prefix
    /// Empty: every packet.
    let ports: [TransportProtocol: [PortRange]]
    var destinations: [AddressMatch]
    let outInterface: InterfacePattern?
    let to: SourceTranslation

    /// The entry of this rule alone.
    func masquerade(named name: String) -> Masquerade {
        Masquerade(
            name: name, sources: [source], ports: ports, destinations: destinations, outInterface: outInterface, to: to,
            position: SourcePosition(file: "", line: rule.number, column: 1))
    }

    /// Whether it is the rule that active FTP needs: connections from port 20, wherever they go.
    var isActiveFTP: Bool { ports == [.tcp: [PortRange(20)]] && destinations.isEmpty && outInterface == nil }

    /// What the rule says as a candidate, or why it is none.
    static func of(_ found: FoundRule) -> Result<TranslationCandidate, Reason> {
        guard let rule = found.parsed.rule else { return .failure(Reason(unknown: found.parsed)) }
        let to: SourceTranslation
        switch rule.target {
        case .masquerade: to = .masquerade
        case .sourceNAT(let address): to = .address(address)
        default: return .failure("translates no source")
        }
        if rule.source?.isInverted == true { return .failure("a masquerade's sources cannot be inverted (! -s)") }
        if rule.inInterface != nil { return .failure("a masquerade has no incoming interface (-i)") }
        if rule.transport?.destinationPorts != nil { return .failure("a masquerade has no destination ports (--dport)") }
        var ports: [TransportProtocol: [PortRange]] = [:]
        if let transport = rule.transport {
            guard let ranges = usable(transport.sourcePorts) else { return .failure("no packet comes from port 0") }
            ports[transport.transport] = ranges
        }
        let everywhere = Prefix(containing: Address(family: found.family, bits: 0), length: 0)
        return .success(
            TranslationCandidate(
                rule: found, source: rule.source?.prefix ?? everywhere, ports: ports,
                destinations: rule.destination.map { [$0] } ?? [], outInterface: rule.outInterface, to: to))
    }

    /// Takes out what an exclusion before it keeps from it.
    ///
    /// - Returns: why that cannot be said.
    mutating func exclude(_ exclusion: Exclusion) -> Reason? {
        guard exclusion.source.overlaps(source) else { return nil }
        guard exclusion.source.contains(source) else { return "an earlier rule takes out a part of its sources" }
        if let named = destinations.first(where: { !$0.isInverted }), !named.prefix.overlaps(exclusion.destination) { return nil }
        let matches = destinations.filter { !$0.isInverted }
        if exclusion.destination.length == 0 || matches.contains(where: { exclusion.destination.contains($0.prefix) }) {
            return "an earlier rule takes all its packets"
        }
        destinations.append(AddressMatch(exclusion.destination, isInverted: true))
        return nil
    }
}

/// A rule that keeps packets from all translations behind it, by their addresses alone.
struct Exclusion {
    let source: Prefix
    let destination: Prefix

    /// The exclusion that the item is; nil if it is none.
    init?(_ item: HookWalk.Item) {
        guard let rule = item.rule.parsed.rule, rule.transport == nil, rule.inInterface == nil, rule.outInterface == nil,
            rule.target == .accept || rule.target == .returnToCaller,
            rule.source?.isInverted != true, rule.destination?.isInverted != true
        else { return nil }
        let everywhere = Prefix(containing: Address(family: item.rule.family, bits: 0), length: 0)
        source = rule.source?.prefix ?? everywhere
        destination = rule.destination?.prefix ?? everywhere
    }
}
