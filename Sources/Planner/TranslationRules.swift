import ConfigurationFile
import Rules

extension TableDraft {
    /// Adds the rules that translate sources, in the order in which the first that matches decides.
    mutating func addTranslations(_ masquerades: [Masquerade], firstOwner: Int, _ services: [Service]) {
        let marks = ServiceMarks(masquerades, services, id.family)
        for (index, masquerade) in masquerades.enumerated() {
            guard let target = masquerade.target(id.family), let placed = AddressChoice(masquerade.sources, id.family),
                var alternatives = Alternatives(masquerade, marks, id.family)
            else { continue }
            alternatives.except(placed, .source)
            let rules = OwnRules(
                name: masquerade.name, owner: Int32(firstOwner + index), placed: placed,
                traffic: traffic(from: masquerade.sourceTraffic, to: masquerade.destinationTraffic), alternatives: alternatives,
                targets: [target])
            rules.add(to: &self, [.nat])
        }
    }
}

/// The marks that services set in one family.
private struct ServiceMarks {
    private var marks: [String: MarkMatch] = [:]

    init(_ masquerades: [Masquerade], _ services: [Service], _ family: Family) {
        guard masquerades.contains(where: { !$0.services.isEmpty }) else { return }
        for service in services
        where AddressChoice(service.addresses, family) != nil && AddressChoice(service.sources, family) != nil {
            marks[service.name] = MarkMatch(value: service.mark.value, mask: service.mark.mask)
        }
    }

    /// The marks of these services, each once.
    func matches(_ names: [String]) -> [RuleMatch] {
        var known: Set<MarkMatch> = []
        return names.compactMap { marks[$0] }.filter { known.insert($0).inserted }.map { RuleMatch(conditions: [.mark($0)]) }
    }
}

extension Alternatives {
    /// What the translation asks besides protocol, ports and sources; nil where no packet of the family can match.
    fileprivate init?(_ masquerade: Masquerade, _ marks: ServiceMarks, _ family: Family) {
        self.init()
        guard let destinations = AddressChoice(masquerade.destinations, family),
            let interfaces = InterfaceChoice(masquerade.outInterfaces)
        else { return nil }
        if !masquerade.services.isEmpty {
            let matches = marks.matches(masquerade.services)
            if matches.isEmpty { return nil }
            add(matches)
        }
        if case .virtualAddresses(_, let mark) = masquerade.to {
            add([RuleMatch(conditions: [.connectionMark(MarkMatch(value: mark.value, mask: mark.mask))])])
        }
        add(destinations, .destination)
        add(interfaces, \.outInterface)
    }
}

extension Masquerade {
    /// The target that does it; nil if it is to an address of another family.
    fileprivate func target(_ family: Family) -> Target? {
        let options = TranslationOptions(isFullyRandom: isRandom)
        switch to {
        case .masquerade: return .masquerade(options)
        case .addresses(let first, let last):
            return first.family == family ? .sourceNAT(SourceRange(first, last, options: options)) : nil
        case .unchanged: return .accept
        case .virtualAddresses(let addresses, _):
            return addresses.first { $0.family == family }.map { .sourceNAT(SourceRange($0, options: options)) }
        }
    }
}
