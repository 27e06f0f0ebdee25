internal import Rules

/// Finds services that would give one packet two different marks.
///
/// Of two prefixes that overlap one holds the other, and in sorted order it stands before it. So one walk over all prefixes
/// with the enclosing ones on a stack meets every pair that overlaps, and within such a pair the ports are looked up in sorted
/// ranges: 10,000 services cost what sorting them costs, also when they share an address or stand under 0.0.0.0/0.
struct MarkConflicts {
    /// Port ranges of services that have one prefix, by protocol.
    private struct Group {
        let prefix: Prefix
        var ranges: [TransportProtocol: SortedRanges] = [:]
    }

    /// Port ranges sorted by first port, with the highest last port up to each.
    private struct SortedRanges {
        private var ranges: [(range: PortRange, service: Int)]
        private var highest: [UInt16] = []

        init(_ unsorted: [(range: PortRange, service: Int)]) {
            ranges = unsorted.sorted { $0.range < $1.range }
            for (range, _) in ranges { highest.append(max(highest.last ?? 0, range.upper)) }
        }

        var all: [(range: PortRange, service: Int)] { ranges }

        /// Calls the body with the services whose ranges overlap `range`, until it returns false.
        func overlapping(_ range: PortRange, _ body: (Int) -> Bool) {
            var low = 0
            var high = ranges.count
            while low < high {
                let middle = (low + high) / 2
                if ranges[middle].range.lower <= range.upper { low = middle + 1 } else { high = middle }
            }
            var index = low - 1
            while index >= 0, highest[index] >= range.lower {
                if ranges[index].range.upper >= range.lower, !body(ranges[index].service) { return }
                index -= 1
            }
        }
    }

    private let services: [Service]

    /// The pairs in conflict: of each later service the first earlier one, as indices into `services`.
    static func find(in services: [Service]) -> [(later: Int, earlier: Int)] {
        MarkConflicts(services: services).find()
    }

    private func find() -> [(later: Int, earlier: Int)] {
        var earliest: [Int: Int] = [:]
        func conflict(_ a: Int, _ b: Int) {
            let (earlier, later) = (min(a, b), max(a, b))
            earliest[later] = min(earliest[later] ?? earlier, earlier)
        }
        var enclosing: [Group] = []
        for group in groups() {
            while let last = enclosing.last, !last.prefix.contains(group.prefix) { enclosing.removeLast() }
            enclosing.append(group)
            for (transport, sorted) in group.ranges {
                for (range, service) in sorted.all where earliest[service] == nil || earliest[service] ?? 0 > 0 {
                    for outer in enclosing {
                        outer.ranges[transport]?.overlapping(range) { other in
                            guard areInConflict(service, other) else { return true }
                            conflict(service, other)
                            return false
                        }
                    }
                }
            }
        }
        return earliest.map { ($0.key, $0.value) }.sorted { $0.later < $1.later }
    }

    /// The services by prefix, each prefix before those that it holds.
    private func groups() -> [Group] {
        let items = services.indices.flatMap { index in services[index].addresses.map { (prefix: $0, service: index) } }
            .sorted { $0.prefix < $1.prefix }
        var groups: [Group] = []
        var start = 0
        while start < items.count {
            let end = items[start...].firstIndex { $0.prefix != items[start].prefix } ?? items.count
            var group = Group(prefix: items[start].prefix)
            for transport in TransportProtocol.allCases {
                let ranges = items[start..<end].flatMap { item in
                    (services[item.service].ports[transport] ?? []).map { (range: $0, service: item.service) }
                }
                if !ranges.isEmpty { group.ranges[transport] = SortedRanges(ranges) }
            }
            groups.append(group)
            start = end
        }
        return groups
    }

    private func areInConflict(_ a: Int, _ b: Int) -> Bool {
        guard a != b, services[a].mark.conflicts(with: services[b].mark) else { return false }
        guard let left = services[a].inInterface, let right = services[b].inInterface else { return true }
        return left.overlaps(right)
    }
}
