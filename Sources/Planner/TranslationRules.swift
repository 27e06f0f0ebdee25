// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

extension TableDraft {
    /// Adds the rules that translate data connections of FTP services, whose ports most share with the one before them.
    ///
    /// - Parameter firstOwner: the number of the first translation's owner; those of the others follow.
    /// - Returns: the number after the last one's.
    mutating func addTranslations(of services: [FTPService], firstOwner: Int) -> Int {
        let services = services.span
        var last: (ports: [UInt16], traffic: [NumberedTraffic])?
        var owner = firstOwner
        for index in services.indices {
            guard services[index].forwarding == .nat, let active = services[index].active else { continue }
            defer { owner += 1 }
            guard active.to == .masquerade, active.realServers.count == 1 else {
                if let masquerade = services[index].masquerade { add(masquerade, owner, ServiceMarks()) }
                continue
            }
            let prefix = active.realServers[0]
            guard prefix.family == id.family else { continue }
            if last?.ports != active.dataPorts {
                let ports = Traffic(tcp: active.dataPorts.map { PortRange($0) })
                last = (active.dataPorts, traffic(from: ports, to: Traffic()))
            }
            add(prefix, last?.traffic ?? [], .masquerade(TranslationOptions()), owner: owner, entry: 0)
        }
        return owner
    }

    /// Adds the rules that translate sources, in the order in which the first that matches decides.
    mutating func addTranslations(_ masquerades: [Masquerade], firstOwner: Int, _ configuration: Configuration) {
        let needsMarks = masquerades.contains { !$0.services.isEmpty }
        let marks = needsMarks ? ServiceMarks(configuration.allServices, id.family) : ServiceMarks()
        for index in masquerades.indices { add(masquerades[index], firstOwner + index, marks) }
    }

    private mutating func add(_ masquerade: Masquerade, _ owner: Int, _ marks: ServiceMarks) {
        guard let target = masquerade.target(id.family), let placed = AddressChoice(masquerade.sources, id.family),
            var alternatives = Alternatives(masquerade, marks, id.family)
        else { return }
        alternatives.except(placed, .source)
        let rules = OwnRules(
            name: masquerade.name, owner: Int32(owner), placed: placed,
            traffic: traffic(from: masquerade.sourceTraffic, to: masquerade.destinationTraffic), alternatives: alternatives,
            targets: [target])
        rules.add(to: &self, [0])
    }
}

/// The marks that services set in one family.
private struct ServiceMarks {
    private var marks: [String: MarkMatch] = [:]

    init() {}

    init(_ services: [Service], _ family: Family) {
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

extension FTPService {
    /// Whether it has a translation: as `masquerade != nil`, without making one.
    var translates: Bool { forwarding == .nat && active != nil }
}
