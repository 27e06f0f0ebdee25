// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Finds translations that never decide, each with the first earlier one that takes packets of it. The first that matches a packet decides.
///
/// Space is cut into cells until each has a translation that takes all of it: no later one decides there. A translation to which no
/// cell is left never decides; that is an error if all its packets become something else.
package struct ShadowedTranslations {
    private let translations: [Masquerade]
    private var sets = PacketSets()
    /// Whether each decides somewhere.
    private var decides: [Bool]
    /// The first that takes packets of each, and whether one that translates to the same does.
    private var takers: [(first: Int, isSame: Bool)]

    /// The translations that never decide, in their order.
    ///
    /// - Parameter services: all services, to which translations refer by name.
    package static func find(in translations: [Masquerade], services: [Service]) -> [Contradiction] {
        let crowded = Crowd.members(translations.count, prefixes: { translations[$0].sources.included }) { members in
            let first = Outcome(translations[members[0]])
            return members.contains { Outcome(translations[$0]) != first }
        }
        guard !crowded.isEmpty else { return [] }
        var search = ShadowedTranslations(translations)
        search.fill(crowded, services)
        search.search(search.sets.items, PacketSets.Cell())
        return crowded.compactMap { index in
            guard !search.decides[index], search.takers[index].first < index, !search.takers[index].isSame else { return nil }
            return Contradiction(later: index, earlier: search.takers[index].first)
        }
    }

    /// Whether of these two, each alone with the other, neither decides where it is the later one.
    static func isEither(_ shadow: Contradiction, of translations: [Masquerade], _ services: [Service]) -> Bool {
        let (later, earlier) = (translations[shadow.later], translations[shadow.earlier])
        return [[earlier, later], [later, earlier]].allSatisfy { !find(in: $0, services: services).isEmpty }
    }

    /// Those of a configuration, FTP among them.
    static func find(in configuration: Configuration) -> [Contradiction] {
        // Mostly all of them masquerade.
        let isUniform =
            configuration.ftp.allSatisfy { $0.active.map { $0.to == .masquerade } ?? true }
            && configuration.masquerades.allSatisfy { $0.to == .masquerade && !$0.isRandom }
        guard !isUniform else { return [] }
        return find(in: configuration.allMasquerades, services: configuration.allServices)
    }

    private init(_ translations: [Masquerade]) {
        self.translations = translations
        decides = Array(repeating: false, count: translations.count)
        takers = Array(repeating: (.max, false), count: translations.count)
    }

    /// What becomes of a packet.
    private struct Outcome: Hashable {
        let to: Masquerade.Translation
        let isRandom: Bool

        init(_ translation: Masquerade) {
            to = translation.to
            isRandom = translation.isRandom
        }
    }

    // MARK: - Translations as sets

    private mutating func fill(_ crowded: [Int], _ services: [Service]) {
        let scales = Scales(
            crowded.flatMap { [translations[$0].sources, translations[$0].destinations] },
            crowded.map { translations[$0].outInterfaces })
        let marks = MarkNumbers(services)
        for index in crowded {
            let translation = translations[index]
            var (mark, connection) = (PacketSets.everything, PacketSets.everything)
            if !translation.services.isEmpty { mark = sets.span(marks.intervals(translation.services)) }
            if case .virtualAddresses(_, let own) = translation.to { connection = sets.span(marks.intervals(own)) }
            let interfaces =
                translation.outInterfaces.isEmpty ? PacketSets.everything : sets.span(scales.intervals(translation.outInterfaces))
            for family in translation.families {
                let sources = sets.span(scales.intervals(translation.sources, family).map { $0.moved(family) })
                let destinations = sets.span(scales.intervals(translation.destinations, family).map { $0.moved(family) })
                // Both ports are of one protocol, so each protocol is a set of its own.
                for traffic in translation.ports {
                    sets.add(
                        index,
                        [
                            sets.span(traffic.source), sets.span(traffic.destination), sources, destinations, interfaces, mark,
                            connection,
                        ])
                }
            }
        }
    }

    // MARK: - Which decide

    private mutating func search(_ items: [PacketSets.Item], _ cell: PacketSets.Cell) {
        guard let first = items.first else { return }
        if items.count == 1 {
            decides[first.owner] = true
            return
        }
        guard items.contains(where: { !decides[$0.owner] }) else { return }
        let hull = sets.hull(items, in: cell)
        // The first that takes the whole cell decides for all after it.
        guard let whole = items.firstIndex(where: { sets.covers($0, hull) }) else {
            return descend(items, hull)
        }
        for item in items[(whole + 1)...] { note(item.owner, takenBy: items[whole].owner) }
        if whole == 0 { decides[first.owner] = true } else { descend(Array(items[...whole]), hull) }
    }

    private mutating func descend(_ items: [PacketSets.Item], _ cell: PacketSets.Cell) {
        guard let cut = sets.cut(items, cell) else { return }
        let halves = sets.halves(items, cell, cut)
        search(halves.left.items, halves.left.cell)
        search(halves.right.items, halves.right.cell)
    }

    private mutating func note(_ later: Int, takenBy earlier: Int) {
        guard later != earlier else { return }
        takers[later].first = min(takers[later].first, earlier)
        if Outcome(translations[later]) == Outcome(translations[earlier]) { takers[later].isSame = true }
    }
}

extension Masquerade {
    /// The families of packets that can match, by every list of addresses.
    var addressFamilies: Set<Family> {
        let lists = [sources, destinations].map { AddressRanges($0) }
        return Set(families.filter { family in lists.allSatisfy { !$0[family].isEmpty } })
    }

    /// The families of its packets, as far as addresses say.
    fileprivate var families: [Family] {
        Family.allCases.filter { family in
            switch to {
            case .addresses(let address, _): address.family == family
            case .virtualAddresses(let addresses, _): addresses.contains { $0.family == family }
            case .masquerade, .unchanged: true
            }
        }
    }

    /// Its source and destination ports, for each protocol that it concerns.
    fileprivate var ports: [(source: [Interval], destination: [Interval])] {
        let (source, destination) = (sourceTraffic, destinationTraffic)
        func whole(_ number: UInt8) -> [Interval] { [Interval(first: Int(number) << 16, last: Int(number) << 16 + 0xffff)] }
        var result: [(source: [Interval], destination: [Interval])] = []
        for transport in TransportProtocol.allCases {
            func side(_ traffic: Traffic) -> [Interval] {
                guard !traffic.isEmpty && !traffic.isEverything else { return whole(transport.number) }
                return Interval.traffic(traffic).filter { $0.first >> 16 == Int(transport.number) }
            }
            result.append((side(source), side(destination)))
        }
        // All other protocols as one: nothing tells them apart.
        if source.isEmpty && destination.isEmpty { result.append((whole(0), whole(0))) }
        return result
    }
}

/// The marks of services as numbers. A mark with a mask matches others as well.
private struct MarkNumbers {
    private var numbers: [Mark: Int] = [:]
    private var byName: [String: Mark] = [:]
    private var masked: [Mark] = []

    init(_ services: [Service]) {
        for service in services {
            if byName[service.name] == nil { byName[service.name] = service.mark }
            if numbers[service.mark] == nil {
                numbers[service.mark] = numbers.count
                if service.mark.mask != .max { masked.append(service.mark) }
            }
        }
    }

    func intervals(_ names: [String]) -> [Interval] { names.flatMap { byName[$0].map(intervals) ?? [] } }

    func intervals(_ mark: Mark) -> [Interval] {
        // Packets that bear a narrower mark bear this one too.
        let others =
            mark.mask == .max ? [] : numbers.keys.filter { $0.mask & mark.mask == mark.mask && $0.value & mark.mask == mark.value }
        return ([mark] + others).compactMap { numbers[$0] }.map { Interval(first: $0, last: $0) }
    }
}
