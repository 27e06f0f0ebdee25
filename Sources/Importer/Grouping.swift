import ConfigurationFile
import Rules

/// Names for entries: what rules say in their remarks, else what their ports are known for, else what they do.
struct EntryNames {
    /// How many entries were to have a name, by the name.
    private var services: [String: Int] = [:]
    private var masquerades: [String: Int] = [:]

    mutating func service(_ remarks: Set<String?>, else name: String) -> String {
        EntryNames.next(EntryNames.remark(remarks) ?? name, &services)
    }

    mutating func masquerade(_ remarks: Set<String?>, else name: String) -> String {
        EntryNames.next(EntryNames.remark(remarks) ?? name, &masquerades)
    }

    /// An FTP service has its name in both lists.
    mutating func claimMasquerade(_ name: String) { masquerades[name, default: 0] += 1 }

    /// The one remark that all rules have, if it can be a name.
    private static func remark(_ remarks: Set<String?>) -> String? {
        guard remarks.count == 1, let remark = remarks.first ?? nil, (1...60).contains(remark.utf8.count) else { return nil }
        let isName = remark.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isName ? remark : nil
    }

    /// The name itself for the first that is to have it, else one with a number behind.
    private static func next(_ name: String, _ taken: inout [String: Int]) -> String {
        var number = taken[name, default: 0] + 1
        var result = number == 1 ? name : "\(name)-\(number)"
        while taken[result] != nil {
            number += 1
            result = "\(name)-\(number)"
        }
        taken[name] = number
        if result != name { taken[result] = 1 }
        return result
    }
}

/// The services of the marking rules: one for each mark, interface and set of ports, with all addresses that have it.
func services(of candidates: [MarkCandidate], _ names: inout EntryNames) -> (ftp: [FTPService], services: [Service]) {
    struct Place: Hashable {
        var mark: Mark
        var inInterface: InterfacePattern?
        var address: Prefix
    }
    struct Kind: Hashable {
        var mark: Mark
        var inInterface: InterfacePattern?
        var ports: [TransportProtocol: [PortRange]]
    }
    var places: [Place] = []
    var ports: [Place: [TransportProtocol: [PortRange]]] = [:]
    var remarks: [Place: Set<String?>] = [:]
    for candidate in candidates {
        let place = Place(mark: candidate.mark, inInterface: candidate.inInterface, address: candidate.address)
        if ports[place] == nil { places.append(place) }
        ports[place, default: [:]][candidate.transport, default: []] += candidate.ports
        remarks[place, default: []].insert(candidate.rule.parsed.comment)
    }
    var kinds: [Kind] = []
    var members: [Kind: [Place]] = [:]
    for place in places {
        let merged = (ports[place] ?? [:]).mapValues(PortRange.merged)
        let kind = Kind(mark: place.mark, inInterface: place.inInterface, ports: merged)
        if members[kind] == nil { kinds.append(kind) }
        members[kind, default: []].append(place)
    }
    var ftp: [FTPService] = []
    var services: [Service] = []
    for kind in kinds {
        let places = members[kind] ?? []
        let remark = places.reduce(into: Set<String?>()) { $0.formUnion(remarks[$1] ?? []) }
        let position = SourcePosition(file: "", line: 1, column: 1)
        if let passive = passivePorts(kind.ports), kind.inInterface == nil {
            ftp.append(
                FTPService(
                    name: names.service(remark, else: "ftp"), mark: kind.mark, addresses: places.map(\.address),
                    passivePorts: passive,
                    position: position))
        } else {
            services.append(
                Service(
                    name: names.service(remark, else: wellKnownName(kind.ports) ?? "mark-\(kind.mark.value)"), mark: kind.mark,
                    addresses: places.map(\.address), ports: kind.ports, inInterface: kind.inInterface, position: position))
        }
    }
    return (ftp, services)
}

/// The passive range, if the ports are those of FTP: 21 and one range.
private func passivePorts(_ ports: [TransportProtocol: [PortRange]]) -> PortRange? {
    guard ports.count == 1, let ranges = ports[.tcp], ranges.count == 2, ranges.contains(PortRange(21)) else { return nil }
    let other = ranges[0] == PortRange(21) ? ranges[1] : ranges[0]
    return other.lower == other.upper ? nil : other
}

private func wellKnownName(_ ports: [TransportProtocol: [PortRange]]) -> String? {
    let singles = Set(ports.values.joined().filter { $0.lower == $0.upper }.map(\.lower))
    guard singles.count == ports.values.joined().reduce(into: Set<PortRange>(), { $0.insert($1) }).count else { return nil }
    let names: [(ports: Set<UInt16>, name: String)] = [
        ([80, 443], "web"), ([53], "dns"), ([25, 465, 587], "smtp"), ([143, 993, 110, 995], "mail"), ([21], "ftp"), ([22], "ssh"),
    ]
    return names.first { singles.isSubset(of: $0.ports) }?.name
}

/// The translations in their order; those that active FTP needs go to the first FTP service, where that changes nothing.
func masquerades(
    of candidates: [TranslationCandidate], _ ftp: inout [FTPService], _ names: inout EntryNames
) -> [Masquerade] {
    var rest: [TranslationCandidate] = []
    for candidate in candidates {
        let fits = candidate.isActiveFTP && !ftp.isEmpty && (ftp[0].active == nil || ftp[0].active?.to == candidate.to)
        // It comes to stand before all others.
        guard fits, !rest.contains(where: { $0.to != candidate.to && $0.rule.mayMeet(candidate.rule) }) else {
            rest.append(candidate)
            continue
        }
        var servers = ftp[0].active?.realServers ?? []
        if !servers.contains(candidate.source) { servers.append(candidate.source) }
        ftp[0].active = FTPService.Active(realServers: servers, to: candidate.to)
        names.claimMasquerade(ftp[0].name)
    }
    var masquerades: [Masquerade] = []
    for candidate in rest {
        let next = candidate.masquerade(named: "")
        if var last = masquerades.last, last.sources[0].family == candidate.rule.family,
            last.destinations == next.destinations, last.outInterface == next.outInterface, last.to == next.to
        {
            if last.ports == next.ports {
                last.sources += last.sources.contains(candidate.source) ? [] : next.sources
                masquerades[masquerades.count - 1] = last
                continue
            }
            if last.sources == next.sources, !last.ports.isEmpty, !next.ports.isEmpty {
                last.ports.merge(next.ports) { PortRange.merged($0 + $1) }
                masquerades[masquerades.count - 1] = last
                continue
            }
        }
        var entry = next
        entry.name = names.masquerade(
            [candidate.rule.parsed.comment], else: candidate.to == .masquerade ? "masquerade" : "source-nat")
        masquerades.append(entry)
    }
    return masquerades
}
