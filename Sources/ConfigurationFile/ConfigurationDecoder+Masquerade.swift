// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension ConfigurationDecoder {
    /// Reads an entry of `masquerade:`.
    mutating func masquerade(_ index: Int) {
        let (place, before) = (events.place, draft.errors.count)
        var entry = Masquerade(name: "")
        var (sources, destinations) = (PrefixList(), PrefixList())
        var toPlace = place
        var services: [Place] = []
        let words = mapping("a mapping with the keys \(MasqueradeWord.words.list)", required: [.name]) {
            (decoder, word: MasqueradeWord) in
            switch word {
            case .name: entry.name = decoder.name(.masquerade, index, translates: true) ?? ""
            case .sources: sources = decoder.prefixes()
            case .services: (entry.services, services) = decoder.references()
            case .tcp: entry.sourceTraffic.tcp = decoder.ports()
            case .udp: entry.sourceTraffic.udp = decoder.ports()
            case .sctp: entry.sourceTraffic.sctp = decoder.ports()
            case .destinationTCP: entry.destinationTraffic.tcp = decoder.ports()
            case .destinationUDP: entry.destinationTraffic.udp = decoder.ports()
            case .destinationSCTP: entry.destinationTraffic.sctp = decoder.ports()
            case .destinations: destinations = decoder.prefixes()
            case .outInterface: entry.outInterfaces = decoder.interfaces()
            case .to:
                toPlace = decoder.events.place
                entry.to = decoder.translation() ?? .masquerade
            case .random: entry.isRandom = decoder.flag() ?? false
            }
        }
        for (number, place) in services.enumerated() {
            draft.references.append(
                .init(service: entry.services[number], entry: draft.entry(place, index), number: number))
        }
        guard let words else { return }
        if ![MasqueradeWord.sources, .services, .destinations].contains(where: { words.has($0) || words.isMeant($0) }) {
            draft.errors.add(place, "at least one of sources, services and destinations is required")
        }
        guard draft.errors.count == before else { return }
        (entry.sources, entry.destinations) = (sources.selection, destinations.selection)
        check(entry, place)
        compareFamilies((.key("sources"), sources, "source"), (.key("destinations"), destinations, "destination"))
        if draft.errors.count == before { checkFamilies(sources, destinations, place) }
        checkFamily(entry.to, [("sources", sources), ("destinations", destinations)], toPlace)
        guard draft.errors.count == before else { return }
        draft.configuration.masquerades.append(entry)
        draft.masquerades.append(draft.entry(place, index))
    }

    /// Names of services.
    private mutating func references() -> ([String], [Place]) {
        var (names, places): ([String], [Place]) = ([], [])
        elements { (text) throws(Refusal) in
            text.string
        } _: { name, _, place in
            names.append(name)
            places.append(place)
        }
        return (names, places)
    }

    private mutating func translation() -> Masquerade.Translation? {
        value { (text) throws(Refusal) in
            if text == "masquerade" { return .masquerade }
            if text == "unchanged" { return .unchanged }
            let text = text.string
            let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map {
                try? Address(parsing: String($0))
            }
            guard let first = halves[0], let last = halves[halves.count - 1] else {
                throw text == "virtual-address"
                    ? Refusal("virtual-address is for \"active:\" of ftp alone; write an address")
                    : ValueText.explain(translation: text, ["masquerade", "unchanged"], allowsRange: true)
            }
            guard first.family == last.family else { throw Refusal("the range \"\(text)\" begins and ends in different families") }
            guard first <= last else { throw Refusal("the range \"\(text)\" runs backwards; write \(last)-\(first)") }
            try ValueText.checkSource(first, last)
            return .addresses(first, last)
        }
    }

    /// What cannot be, or has no effect, in an entry that is right in itself.
    private mutating func check(_ entry: Masquerade, _ place: Place) {
        if entry.isRandom && entry.to == .unchanged {
            draft.errors.add(place, "\"random: true\" has no effect with \"to: unchanged\", where no port is chosen")
        }
        let (source, destination) = (entry.sourceTraffic, entry.destinationTraffic)
        guard !source.isEmpty, !destination.isEmpty else { return }
        for transport in TransportProtocol.allCases where source[transport].isEmpty != destination[transport].isEmpty {
            let (there, other) =
                source[transport].isEmpty
                ? ("destination-\(transport)", "\(transport)") : ("\(transport)", "destination-\(transport)")
            draft.errors.add(
                place,
                "\(there) never matches: where source and destination ports are asked for, a packet has to match both; "
                    + "write \"\(other): any\" as well, or an entry for each")
        }
    }

    private mutating func checkFamily(
        _ to: Masquerade.Translation, _ lists: [(key: StaticString, list: PrefixList)], _ place: Place
    ) {
        guard case .addresses(let address, _) = to else { return }
        for (key, list) in lists {
            guard let stray = list.selection.included.first(where: { $0.family != address.family }) else { continue }
            at(.key("to")) {
                $0.draft.errors.add(
                    place,
                    "\(stray) in \(key) is \(stray.family.words) and cannot be translated to \(address); write an entry for each family"
                )
            }
        }
    }
}
