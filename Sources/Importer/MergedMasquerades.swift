// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// Masquerades made of candidates, in their order, since among translations the first that matches decides.
enum MergedMasquerades {
    /// The masquerades; those that belong to active FTP are put into the FTP entry.
    ///
    /// - Parameter missing: called with a candidate that asks for a mark that no service has.
    static func masquerades(
        _ candidates: [TranslationCandidate], _ ftp: inout [FTPService], _ services: [Service], _ names: inout EntryNames,
        missing: (FoundRule) -> Void
    ) -> [Masquerade] {
        var rest: [TranslationCandidate] = []
        for candidate in candidates {
            // It comes to be the first of all.
            let isFirst = !rest.contains { ($0.to != candidate.to || $0.isRandom) && $0.region.meets(candidate.region) }
            guard isFirst, add(candidate, to: &ftp, &names) else {
                rest.append(candidate)
                continue
            }
        }
        var masquerades: [(entry: Masquerade, family: Family)] = []
        for candidate in rest {
            guard var entry = entry(candidate, services) else {
                missing(candidate.rule)
                continue
            }
            let family = candidate.rule.table.family
            if let last = masquerades.last, last.family == family, let both = last.entry.union(entry) {
                masquerades[masquerades.count - 1].entry = both
                continue
            }
            entry.name = names.masquerade([candidate.rule.rule.comment], else: name(candidate.to))
            masquerades.append((entry, family))
        }
        return masquerades.map(\.entry)
    }

    private static func name(_ to: Masquerade.Translation) -> String {
        switch to {
        case .masquerade: "masquerade"
        case .addresses, .virtualAddresses: "source-nat"
        case .unchanged: "unchanged"
        }
    }

    private static func add(_ candidate: TranslationCandidate, to ftp: inout [FTPService], _ names: inout EntryNames) -> Bool {
        if let mark = candidate.region.connectionMark { return add(candidate, following: mark, to: &ftp) }
        var plain = Region()
        plain.sources = candidate.region.sources
        plain.transport = TransportProtocol.tcp.number
        plain.sourcePorts = candidate.region.sourcePorts
        guard candidate.region == plain, !plain.sources.included.isEmpty, plain.sources.excluded.isEmpty, !candidate.isRandom,
            plain.sourcePorts == [PortRange(20)] || plain.sourcePorts == [PortRange(20), PortRange(989)], !ftp.isEmpty
        else { return false }
        let to: FTPService.Active.Translation
        switch candidate.to {
        case .masquerade: to = .masquerade
        case .addresses(let first, let last) where first == last: to = .address(first)
        default: return false
        }
        let ports = plain.sourcePorts.map(\.lower)
        let place = ftp.firstIndex { $0.active?.to != .virtualAddress }
        guard let place else { return false }
        if let active = ftp[place].active {
            guard active.to == to, active.dataPorts == ports else { return false }
        } else if !names.claimMasquerade(ftp[place].name) {
            return false
        }
        var servers = ftp[place].active?.realServers ?? []
        servers += plain.sources.included.filter { !servers.contains($0) }
        if case .address(let address) = to, servers.contains(where: { $0.family != address.family }) { return false }
        ftp[place].active = FTPService.Active(realServers: servers, dataPorts: ports, to: to)
        return true
    }

    /// Adds the servers of a translation to the address that the client called.
    private static func add(
        _ candidate: TranslationCandidate, following mark: MarkMatch, to ftp: inout [FTPService]
    ) -> Bool {
        var plain = Region()
        plain.sources = candidate.region.sources
        plain.transport = TransportProtocol.tcp.number
        plain.sourcePorts = candidate.region.sourcePorts
        plain.connectionMark = mark
        guard candidate.region == plain, !plain.sources.included.isEmpty, plain.sources.excluded.isEmpty, !candidate.isRandom,
            plain.sourcePorts.allSatisfy({ $0.lower == $0.upper }), case .addresses(let first, let last) = candidate.to,
            first == last
        else { return false }
        let ports = plain.sourcePorts.map(\.lower)
        let index = ftp.firstIndex { entry in
            entry.active?.to == .virtualAddress && entry.mark.value == mark.value && entry.mark.mask == mark.mask
                && entry.addresses.filter { $0.family == first.family } == [Prefix(first)]
                && (entry.active?.realServers.isEmpty == true || entry.active?.dataPorts == ports)
        }
        guard let index else { return false }
        let servers = ftp[index].active?.realServers ?? []
        ftp[index].active = .init(
            realServers: servers + plain.sources.included.filter { !servers.contains($0) }, dataPorts: ports, to: .virtualAddress)
        return true
    }

    private static func entry(_ candidate: TranslationCandidate, _ services: [Service]) -> Masquerade? {
        let region = candidate.region
        if region.connectionMark != nil { return nil }
        var entry = Masquerade(
            name: "", sources: region.sources, destinations: region.addresses, outInterfaces: region.outInterfaces,
            to: candidate.to,
            isRandom: candidate.isRandom)
        if let mark = region.mark {
            // A service has a mark for packets of the families that it has addresses of.
            func isOfFamily(_ selection: Selection<Prefix>) -> Bool {
                selection.included.isEmpty || selection.included.contains { $0.family == candidate.rule.table.family }
            }
            let service = services.first {
                $0.mark.value == mark.value && $0.mark.mask == mark.mask && isOfFamily($0.addresses) && isOfFamily($0.sources)
            }
            guard let service else { return nil }
            entry.services = [service.name]
        }
        let everywhere = Prefix(containing: Address(family: candidate.rule.table.family, bits: 0), length: 0)
        if entry.sources.included.isEmpty, entry.destinations.included.isEmpty {
            // Without an entry that has no "!" both families would be meant.
            if entry.sources.isEmpty { entry.destinations.included = [everywhere] } else { entry.sources.included = [everywhere] }
        }
        if let transport = region.transport {
            if region.sourcePorts != [.all] { entry.sourceTraffic = Traffic(transport, region.sourcePorts).usable }
            if region.destinationPorts != [.all] || region.sourcePorts == [.all] {
                entry.destinationTraffic = Traffic(transport, region.destinationPorts).usable
            }
        }
        return entry
    }
}

extension Masquerade {
    /// One entry for both, which are neighbours; nil where they differ in more than one thing.
    fileprivate func union(_ other: Masquerade) -> Masquerade? {
        var result = self
        var theirs = other
        theirs.name = name
        if result == theirs { return self }
        func merged<Part: Equatable>(_ part: WritableKeyPath<Masquerade, Part>, _ union: (Part, Part) -> Part?) -> Masquerade? {
            var same = theirs
            same[keyPath: part] = self[keyPath: part]
            guard same == self, let both = union(self[keyPath: part], theirs[keyPath: part]) else { return nil }
            result[keyPath: part] = both
            return result
        }
        return merged(\.sources) { $0.union($1) } ?? merged(\.destinations) { $0.union($1) }
            ?? merged(\.outInterfaces) { $0.union($1) }
            ?? (sourceTraffic.isEmpty || other.sourceTraffic.isEmpty ? nil : merged(\.sourceTraffic) { $0.union($1) })
            ?? (destinationTraffic.isEmpty || other.destinationTraffic.isEmpty
                ? nil : merged(\.destinationTraffic) { $0.union($1) })
    }
}
