import Rules

/// Two services that would give one packet two different marks, and an example of such packets.
struct MarkConflict: Equatable {
    /// Indices into the services: the later one, and the first of the earlier ones that it is in conflict with.
    var later: Int
    var earlier: Int
    /// Addresses, protocol and ports that both services have.
    var prefix: Prefix
    var transport: TransportProtocol
    var ports: PortRange
}

/// Finds services that would give one packet two different marks.
///
/// Of two prefixes that overlap one holds the other, and in sorted order it stands before it. So one walk over all prefixes
/// with the enclosing ones on a stack meets every pair that overlaps, and within such a pair the ports are looked up in
/// interval trees: the cost is that of sorting, and of the pairs that do overlap. Those that cannot be in conflict are few,
/// since equal ports under one mark are looked at as one.
struct MarkConflicts {
    /// Among many services with one wrong address nearly every pair is in conflict; with so many pairs found there is enough to
    /// mend, and the search ends.
    private static let limit = 1_000_000

    private let services: [Service]
    private let kinds: ServiceKinds
    private var found: [MarkConflict?]
    private var pairs = 0

    /// The conflicts: at most one for each service, in the order of the later ones.
    static func find(in services: [Service]) -> [MarkConflict] {
        var search = MarkConflicts(services)
        search.walk()
        return search.found.compactMap { $0 }
    }

    private init(_ services: [Service]) {
        self.services = services
        kinds = ServiceKinds(services)
        found = Array(repeating: nil, count: services.count)
    }

    private mutating func walk() {
        let items = services.indices.flatMap { index in services[index].addresses.map { (prefix: $0, service: index) } }
            .sorted { ($0.prefix, $0.service) < ($1.prefix, $1.service) }
        var enclosing: [Group] = []
        var start = 0
        while start < items.count, pairs < MarkConflicts.limit {
            let prefix = items[start].prefix
            var end = start + 1
            while end < items.count, items[end].prefix == prefix { end += 1 }
            while let last = enclosing.last, !last.prefix.contains(prefix) { enclosing.removeLast() }
            let holdsOthers = end < items.count && prefix.contains(items[end].prefix)
            // Most services have addresses of their own, and nothing to be compared with.
            if end - start > 1 || holdsOthers || !enclosing.isEmpty {
                let group = Group(prefix, items[start..<end].lazy.map(\.service), services, kinds.ofService)
                compare(group, with: group)
                for outer in enclosing { compare(group, with: outer) }
                if holdsOthers { enclosing.append(group) }
            }
            start = end
        }
    }

    private mutating func compare(_ inner: Group, with outer: Group) {
        let kinds = kinds
        var hits: [Int] = []
        for (transport, (ours, theirs)) in zip(TransportProtocol.allCases, zip(inner.ports, outer.ports))
        where !theirs.entries.isEmpty {
            for (index, entry) in ours.entries.enumerated() {
                hits.removeAll(keepingCapacity: true)
                // Within one group each pair is met once: of two entries the one that stands before the other looks for it.
                theirs.collect(overlapping: entry.range, from: inner.prefix == outer.prefix ? index + 1 : 0, into: &hits)
                for hit in hits where kinds.areInConflict(entry.kind, theirs.entries[hit].kind) {
                    let other = theirs.entries[hit]
                    let ports = PortRange(max(entry.range.lower, other.range.lower), min(entry.range.upper, other.range.upper))
                    note(entry.services, other.services, inner.prefix, transport, ports)
                    note(other.services, entry.services, inner.prefix, transport, ports)
                    pairs += 1
                }
                if pairs >= MarkConflicts.limit { return }
            }
        }
    }

    /// Notes for each of the `later` services the first of the `earlier` ones that is in front of it.
    private mutating func note(
        _ later: [Int], _ earlier: [Int], _ prefix: Prefix, _ transport: TransportProtocol, _ ports: PortRange
    ) {
        let first = earlier[0]
        for service in later where service > first && first < found[service]?.earlier ?? .max {
            found[service] = MarkConflict(later: service, earlier: first, prefix: prefix, transport: transport, ports: ports)
        }
    }
}

/// What decides whether services that share packets are in conflict: their mark and interface. Those of one kind never are.
private struct ServiceKinds {
    /// The kind of each service.
    private(set) var ofService: [Int] = []
    private var marks: [Mark] = []
    /// The interface of each kind, as an index into `patterns`; nil there is every interface.
    private var interfaces: [Int] = []
    private var patterns: [InterfacePattern?] = []
    private var isName: [Bool] = []

    private struct Kind: Hashable {
        let mark: Mark
        let interface: InterfacePattern?
    }

    init(_ services: [Service]) {
        var numbers: [Kind: Int] = [:]
        var known: [InterfacePattern?: Int] = [:]
        numbers.reserveCapacity(services.count)
        ofService.reserveCapacity(services.count)
        for service in services {
            let kind = Kind(mark: service.mark, interface: service.inInterface)
            let number = numbers[kind] ?? marks.count
            ofService.append(number)
            guard number == marks.count else { continue }
            numbers[kind] = number
            marks.append(kind.mark)
            let interface = known[kind.interface] ?? patterns.count
            interfaces.append(interface)
            guard interface == patterns.count else { continue }
            known[kind.interface] = interface
            patterns.append(kind.interface)
            isName.append(kind.interface.map { !$0.isPrefix } ?? false)
        }
    }

    func areInConflict(_ a: Int, _ b: Int) -> Bool {
        guard a != b, marks[a].conflicts(with: marks[b]) else { return false }
        let (left, right) = (interfaces[a], interfaces[b])
        if left == right { return true }
        // Two names are one interface only if they are equal; thousands of them may stand on one address.
        guard !isName[left] || !isName[right] else { return false }
        guard let left = patterns[left], let right = patterns[right] else { return true }
        return left.overlaps(right)
    }
}

/// Services that have one prefix, by their ports.
private struct Group {
    let prefix: Prefix
    /// One for each protocol, in the order of `TransportProtocol.allCases`.
    let ports: [PortTree]

    init(_ prefix: Prefix, _ members: some Collection<Int>, _ services: [Service], _ kinds: [Int]) {
        self.prefix = prefix
        ports = TransportProtocol.allCases.map { transport in
            var entries: [PortTree.Entry] = []
            for service in members {
                for range in services[service].ports[transport] ?? [] {
                    entries.append(PortTree.Entry(range: range, kind: kinds[service], services: [service]))
                }
            }
            return PortTree(entries)
        }
    }
}

/// Port ranges as an interval tree: sorted by first port, the middle of each part being its root.
private struct PortTree {
    /// A range, and the services of one kind that have it: in ascending order, at least one.
    struct Entry {
        let range: PortRange
        let kind: Int
        var services: [Int]
    }

    private(set) var entries: [Entry] = []
    /// The highest last port in the part of the tree below each entry.
    private var highest: [UInt16] = []

    init(_ unsorted: [Entry]) {
        guard unsorted.count > 1 else {
            entries = unsorted
            highest = unsorted.map(\.range.upper)
            return
        }
        for entry in unsorted.sorted(by: { ($0.range, $0.kind, $0.services[0]) < ($1.range, $1.kind, $1.services[0]) }) {
            if let last = entries.last, last.range == entry.range, last.kind == entry.kind {
                entries[entries.count - 1].services += entry.services
            } else {
                entries.append(entry)
            }
        }
        highest = entries.map(\.range.upper)
        _ = climb(0, entries.count)
    }

    private mutating func climb(_ low: Int, _ high: Int) -> UInt16 {
        guard low < high else { return 0 }
        let middle = (low + high) / 2
        highest[middle] = max(highest[middle], climb(low, middle), climb(middle + 1, high))
        return highest[middle]
    }

    /// Appends the indices, from `first` on, of the entries that overlap the range.
    func collect(overlapping range: PortRange, from first: Int, into hits: inout [Int]) {
        collect(range, first, 0, entries.count, &hits)
    }

    private func collect(_ range: PortRange, _ first: Int, _ low: Int, _ high: Int, _ hits: inout [Int]) {
        let middle = (low + high) / 2
        guard low < high, first < high, highest[middle] >= range.lower else { return }
        collect(range, first, low, middle, &hits)
        guard entries[middle].range.lower <= range.upper else { return }
        if middle >= first, entries[middle].range.upper >= range.lower { hits.append(middle) }
        collect(range, first, middle + 1, high, &hits)
    }
}

extension Configuration {
    /// The pairs of services that would give some packet two different marks: of each later service the first earlier one, as
    /// indices into `services`.
    package static func markConflicts(in services: [Service]) -> [(later: Int, earlier: Int)] {
        MarkConflicts.find(in: services).map { ($0.later, $0.earlier) }
    }
}
