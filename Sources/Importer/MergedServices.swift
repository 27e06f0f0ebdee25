// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// Services made of candidates: rules that differ in one thing alone become one entry.
///
/// Example: `-d A --dport 80`, `-d A --dport 443` and `-d B -m multiport --dports 80,443`, all with mark 80, are one service: first
/// the ports of A come together, then the addresses A and B.
struct MergedServices {
    private struct Draft {
        var service: Service
        var comments: Set<String?>
    }

    private var drafts: [Draft] = []

    /// The services and FTP entries of the candidates, in the order of the rules.
    static func entries(_ candidates: [MarkCandidate], _ names: inout EntryNames) -> (ftp: [FTPService], services: [Service]) {
        var grouping = MergedServices()
        for candidate in candidates {
            var service = candidate.service
            service.traffic = service.traffic.usable
            if service.addresses.included.isEmpty {
                // Without any entry that has no "!" both families would be meant.
                service.addresses.included = [Prefix(containing: Address(family: candidate.rule.table.family, bits: 0), length: 0)]
            }
            grouping.drafts.append(Draft(service: service, comments: [candidate.rule.rule.comment]))
        }
        grouping.merge()
        // Names that rules have as comments go to these rules.
        let wanted = grouping.drafts.map { draft -> String? in names.service(ofComments: draft.comments) }
        var ftp: [FTPService] = []
        var services: [Service] = []
        for (draft, name) in zip(grouping.drafts, wanted) {
            if let (control, passive) = draft.service.ftpPorts {
                var entry = FTPService(
                    name: name ?? names.service("ftp"), mark: draft.service.mark,
                    addresses: draft.service.addresses.included, controlPorts: control, passivePorts: passive)
                // The real servers are in the translations.
                if draft.service.savesMark { entry.active = .init(realServers: [], to: .virtualAddress) }
                ftp.append(entry)
            } else {
                var service = draft.service
                service.name = name ?? names.service(service.traffic.wellKnownName ?? "mark-\(service.mark.value)")
                services.append(service)
            }
        }
        return (ftp, services)
    }

    private mutating func merge() {
        merge(\.traffic, blank: Traffic()) { $0.union($1) }
        merge(\.hooks, blank: []) { Array(Set($0 + $1)).sorted() }
        merge(\.addresses, blank: Selection()) { $0.union($1) }
        merge(\.sources, blank: Selection()) { $0.union($1) }
        merge(\.inInterfaces, blank: Selection()) { $0.union($1) }
        merge(\.sourceMACs, blank: Selection()) { $0.union($1) }
        merge(\.addresses, blank: Selection()) { $0.union($1) }
    }

    /// Puts drafts together that are the same but for one part, where the two parts have a union.
    private mutating func merge<Part: Hashable>(
        _ part: WritableKeyPath<Service, Part>, blank: Part, _ union: (Part, Part) -> Part?
    ) {
        var result: [Draft] = []
        var places: [Service: [Int]] = [:]
        for draft in drafts {
            var key = draft.service
            key[keyPath: part] = blank
            let partner = places[key]?.last { union(result[$0].service[keyPath: part], draft.service[keyPath: part]) != nil }
            if let partner, let both = union(result[partner].service[keyPath: part], draft.service[keyPath: part]) {
                result[partner].service[keyPath: part] = both
                result[partner].comments.formUnion(draft.comments)
            } else {
                places[key, default: []].append(result.count)
                result.append(draft)
            }
        }
        drafts = result
    }
}

extension Selection where Element: Dimension {
    /// What is in one of the two; nil where one list cannot express it.
    func union(_ other: Selection) -> Selection? {
        if self == other { return self }
        if included.isEmpty || other.included.isEmpty {
            // All but some, and some of these.
            let (all, some) = included.isEmpty ? (self, other) : (other, self)
            guard !all.excluded.isEmpty, !some.included.isEmpty, some.excluded.isEmpty else { return nil }
            let holes = all.excluded.filter { hole in !some.included.contains { $0.covers(hole) } }
            return holes.contains { hole in some.included.contains { $0.meets(hole) } } ? nil : Selection(excluding: holes)
        }
        guard excluded == other.excluded else { return nil }
        return Selection(included + other.included.filter { !included.contains($0) }, excluding: excluded)
    }
}

extension Traffic {
    /// What is in one of the two.
    func union(_ other: Traffic) -> Traffic? {
        if isEverything || other.isEverything { return Traffic(isEverything: true) }
        return Traffic(
            tcp: PortRange.merged(tcp + other.tcp), udp: PortRange.merged(udp + other.udp),
            sctp: PortRange.merged(sctp + other.sctp),
            protocols: protocols + other.protocols.filter { !protocols.contains($0) })
    }

    /// The same without port 0, which no service has.
    var usable: Traffic {
        var result = self
        for transport in TransportProtocol.allCases {
            let ranges = PortRange.merged(self[transport])
            result[transport] =
                ranges == [.all] ? ranges : ranges.compactMap { $0.upper == 0 ? nil : PortRange(max($0.lower, 1), $0.upper) }
        }
        return result
    }

    /// What services with these ports are called.
    var wellKnownName: String? {
        let ranges = tcp + udp + sctp
        let ports = Set(ranges.filter { $0.lower == $0.upper }.map(\.lower))
        guard !ports.isEmpty, ranges.allSatisfy({ $0.lower == $0.upper }), protocols.isEmpty else { return nil }
        let names: [(ports: Set<UInt16>, name: String)] = [
            ([80, 443], "web"), ([53], "dns"), ([25, 465, 587], "smtp"), ([143, 993, 110, 995], "mail"), ([21], "ftp"),
            ([22], "ssh"),
        ]
        return names.first { ports.isSubset(of: $0.ports) }?.name
    }
}

extension Service {
    /// The ports of FTP: control ports and one wide range; nil for anything else.
    fileprivate var ftpPorts: (control: [UInt16], passive: PortRange)? {
        guard traffic == Traffic(tcp: traffic.tcp), addresses.excluded.isEmpty, sources.isEmpty, sourceMACs.isEmpty,
            inInterfaces.isEmpty, hooks == [.prerouting]
        else { return nil }
        let wide = traffic.tcp.filter { $0.lower != $0.upper }
        let single = traffic.tcp.filter { $0.lower == $0.upper }.map(\.lower)
        guard wide.count == 1, wide[0] != .all, single.contains(21), single.allSatisfy({ [21, 990].contains($0) }) else {
            return nil
        }
        return (single, wide[0])
    }
}
