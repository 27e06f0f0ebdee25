// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Finds services that would give one packet two different marks.
///
/// A packet is marked in prerouting and again in input, so these two share packets. The director's own packets meet output alone:
/// those with a mark of IPVS go to a real server from there.
///
/// Most services have addresses of their own; they are found by one walk over the sorted addresses. The rest become `PacketSets`.
/// Whether any two of many marks are in conflict is seen from their bits alone, and where a cell has a service that takes all of it,
/// that service is in conflict with every other mark there: so what is cut further gets less with every cut.
///
/// Example: services 0 to 999 on 203.0.113.10, TCP ports 1 to 1000, each with a mark of its own, and service 1000 on the same
/// address, TCP 1-1000, with mark 7.
///
///     the crowd      all 1,001: they share an address, and their marks differ in bits that both write
///     the hull       203.0.113.10, TCP 1 to 1000
///     takes it all   service 1000: in conflict with service 0, the first that has another mark
///     the rest       0 to 999, cut at port 501: 500 in each half, none in both
///     each half      is cut in the same way until at most 8 are left; those are compared in pairs: no two meet
package struct MarkConflicts {
    private let services: [Service]
    private var sets = PacketSets()
    /// The first earlier service in conflict with each; `.max` without one.
    private var found: [Int]

    /// The conflicts: at most one for each service, in the order of the later ones.
    package static func find(in services: [Service]) -> [Contradiction] {
        let crowded = Crowd.members(services.count, prefixes: { services[$0].addresses.included }) { members in
            FirstMarks.areInConflict(members.lazy.map { services[$0].mark })
        }
        return find(crowded, in: services)
    }

    /// The conflicts of all services of a configuration, FTP among them.
    static func find(in configuration: Configuration) -> [Contradiction] {
        let (ftp, services) = (configuration.ftp, configuration.services)
        let crowded = Crowd.members(ftp.count + services.count) { index in
            index < ftp.count ? ftp[index].addresses : services[index - ftp.count].addresses.included
        } isOfInterest: { members in
            FirstMarks.areInConflict(members.lazy.map { $0 < ftp.count ? ftp[$0].mark : services[$0 - ftp.count].mark })
        }
        return crowded.isEmpty ? [] : find(crowded, in: configuration.allServices)
    }

    private static func find(_ crowded: [Int], in services: [Service]) -> [Contradiction] {
        guard !crowded.isEmpty else { return [] }
        var search = MarkConflicts(services)
        search.fill(crowded)
        search.search(search.sets.items, PacketSets.Cell())
        return crowded.compactMap { index in
            search.found[index] == .max ? nil : Contradiction(later: index, earlier: search.found[index])
        }
    }

    private init(_ services: [Service]) {
        self.services = services
        found = Array(repeating: .max, count: services.count)
    }

    private mutating func fill(_ crowded: [Int]) {
        let scales = Scales(
            crowded.flatMap { [services[$0].addresses, services[$0].sources] }, crowded.map { services[$0].inInterfaces })
        for index in crowded {
            let service = services[index]
            var hooks: [Interval] = []
            if service.hooks.contains(.prerouting) || service.hooks.contains(.input) { hooks.append(Interval(first: 0, last: 0)) }
            if service.hooks.contains(.output) { hooks.append(Interval(first: 1, last: 1)) }
            let common = [
                sets.span(hooks), sets.span(Interval.traffic(service.traffic)),
                service.sourceMACs.isEmpty ? PacketSets.everything : sets.span(Interval.macs(service.sourceMACs)),
                service.inInterfaces.isEmpty ? PacketSets.everything : sets.span(scales.intervals(service.inInterfaces)),
            ]
            for family in Family.allCases {
                // The families are side by side on one scale.
                let destinations = scales.intervals(service.addresses, family).map { $0.moved(family) }
                let sources = scales.intervals(service.sources, family).map { $0.moved(family) }
                sets.add(index, common + [sets.span(destinations), sets.span(sources)])
            }
        }
    }

    // MARK: - Which are

    private mutating func search(_ items: [PacketSets.Item], _ cell: PacketSets.Cell) {
        let services = services
        guard items.count > 1, FirstMarks.areInConflict(items.lazy.map { services[$0.owner].mark }) else { return }
        // Nothing earlier than what is known can be found here.
        guard items.contains(where: { found[$0.owner] > items[0].owner && $0.owner > items[0].owner }) else { return }
        if items.count <= 8 { return compare(items, cell) }
        let hull = sets.hull(items, in: cell)
        var (all, whole) = (FirstMarks(), FirstMarks())
        var partial: [PacketSets.Item] = []
        for item in items {
            let mark = services[item.owner].mark
            if sets.covers(item, hull) {
                note(item.owner, all.firstConflict(with: mark))
                whole.add(mark, of: item.owner)
            } else {
                note(item.owner, whole.firstConflict(with: mark))
                partial.append(item)
            }
            all.add(mark, of: item.owner)
        }
        guard partial.count > 1, let cut = sets.cut(partial, hull) else { return }
        let halves = sets.halves(partial, hull, cut)
        search(halves.left.items, halves.left.cell)
        search(halves.right.items, halves.right.cell)
    }

    private mutating func compare(_ items: [PacketSets.Item], _ cell: PacketSets.Cell) {
        for (index, later) in items.enumerated() {
            for earlier in items[..<index] where earlier.owner < found[later.owner] && earlier.owner != later.owner {
                guard services[later.owner].mark.conflicts(with: services[earlier.owner].mark),
                    sets.meet(later, earlier, in: cell)
                else { continue }
                note(later.owner, earlier.owner)
                break
            }
        }
    }

    private mutating func note(_ later: Int, _ earlier: Int?) {
        if let earlier, earlier < later { found[later] = min(found[later], earlier) }
    }
}

extension Interval {
    /// The interval on a scale where IPv6 comes after IPv4.
    func moved(_ family: Family) -> Interval {
        family == .ipv4 ? self : Interval(first: first + 1 << 40, last: last + 1 << 40)
    }
}

/// Marks by their bits: of each bit which entry is the first to set it, and which is the first to clear it.
struct FirstMarks {
    private var set = InlineArray<32, Int>(repeating: .max)
    private var cleared = InlineArray<32, Int>(repeating: .max)

    /// Adds a mark; those of earlier entries come first.
    mutating func add(_ mark: Mark, of entry: Int) {
        var bits = mark.mask
        while bits != 0 {
            let bit = bits.trailingZeroBitCount
            bits &= bits - 1
            if mark.value & (1 << UInt32(bit)) != 0 {
                set[bit] = min(set[bit], entry)
            } else {
                cleared[bit] = min(cleared[bit], entry)
            }
        }
    }

    /// The first entry whose mark differs from this one in a bit that both write.
    func firstConflict(with mark: Mark) -> Int? {
        var (bits, first) = (mark.mask, Int.max)
        while bits != 0 {
            let bit = bits.trailingZeroBitCount
            bits &= bits - 1
            first = min(first, mark.value & (1 << UInt32(bit)) != 0 ? cleared[bit] : set[bit])
        }
        return first == .max ? nil : first
    }

    /// Whether any two of these marks differ in a bit that both write.
    static func areInConflict(_ marks: some Sequence<Mark>) -> Bool {
        var (set, cleared): (UInt32, UInt32) = (0, 0)
        for mark in marks {
            set |= mark.value
            cleared |= mark.mask & ~mark.value
        }
        return set & cleared != 0
    }
}
