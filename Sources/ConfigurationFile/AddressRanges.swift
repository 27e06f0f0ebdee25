// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Addresses of both families as ranges that are sorted and do not touch one another.
struct AddressRanges {
    /// Numbers from the first to the last, in the form of `Address.bits`.
    struct Range: Hashable {
        var first: UInt128
        var last: UInt128
    }

    private(set) var (ipv4, ipv6): ([Range], [Range]) = ([], [])

    subscript(family: Family) -> [Range] { family == .ipv4 ? ipv4 : ipv6 }

    /// The addresses of these prefixes.
    init(_ prefixes: [Prefix]) {
        ipv4 = AddressRanges.merged(prefixes, .ipv4)
        ipv6 = AddressRanges.merged(prefixes, .ipv6)
    }

    /// The addresses that match.
    init(_ selection: Selection<Prefix>) {
        let included = selection.included.isEmpty ? AddressRanges.everything : selection.included
        self.init(included)
        guard !selection.excluded.isEmpty else { return }
        let excluded = AddressRanges(selection.excluded)
        ipv4 = AddressRanges.difference(ipv4, excluded.ipv4)
        ipv6 = AddressRanges.difference(ipv6, excluded.ipv6)
    }

    static let everything = [
        Prefix(containing: Address(ipv4: 0), length: 0), Prefix(containing: Address(ipv6: 0), length: 0),
    ]

    /// Whether the whole prefix is in it.
    func contains(_ prefix: Prefix) -> Bool {
        let ranges = self[prefix.family]
        // The last range that begins at the prefix or before it.
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].first <= prefix.address.bits { low = middle + 1 } else { high = middle }
        }
        return low > 0 && ranges[low - 1].last >= prefix.last.bits
    }

    /// The first addresses that are in both.
    func firstCommon(_ other: AddressRanges) -> (family: Family, range: Range)? {
        for family in Family.allCases {
            let (left, right) = (self[family], other[family])
            var (i, j) = (0, 0)
            while i < left.count, j < right.count {
                let common = Range(first: max(left[i].first, right[j].first), last: min(left[i].last, right[j].last))
                if common.first <= common.last { return (family, common) }
                if left[i].last < right[j].last { i += 1 } else { j += 1 }
            }
        }
        return nil
    }

    private static func merged(_ prefixes: [Prefix], _ family: Family) -> [Range] {
        var result: [Range] = []
        let sorted = prefixes.lazy.filter { $0.family == family }.map { Range(first: $0.address.bits, last: $0.last.bits) }
            .sorted { $0.first < $1.first }
        for range in sorted {
            if let last = result.last, last.last == .max || range.first <= last.last + 1 {
                result[result.count - 1].last = max(last.last, range.last)
            } else {
                result.append(range)
            }
        }
        return result
    }

    private static func difference(_ ranges: [Range], _ excluded: [Range]) -> [Range] {
        var result: [Range] = []
        var next = 0
        for range in ranges {
            var first = range.first
            var isDone = false
            while next < excluded.count, excluded[next].last < first { next += 1 }
            var index = next
            while index < excluded.count, excluded[index].first <= range.last, !isDone {
                if excluded[index].first > first { result.append(Range(first: first, last: excluded[index].first - 1)) }
                isDone = excluded[index].last >= range.last
                if !isDone { first = excluded[index].last + 1 }
                index += 1
            }
            if !isDone { result.append(Range(first: first, last: range.last)) }
        }
        return result
    }
}

extension AddressRanges.Range {
    /// The range in words: a prefix if it is one, else its first address.
    func text(_ family: Family) -> String {
        let address = Address(family: family, bits: first)
        let size = last - first
        for length in 0...family.bitWidth {
            let prefix = Prefix(containing: address, length: length)
            if prefix.address == address, prefix.last.bits - first == size { return "\(prefix)" }
        }
        return "\(address)"
    }
}

/// Names of interfaces as ranges of texts, in the order of their bytes.
struct NameRanges {
    private let names: Set<String>
    private let beginnings: [String]

    /// The names that these patterns mean.
    init(_ patterns: [InterfacePattern]) {
        names = Set(patterns.filter { !$0.isPrefix }.map(\.name))
        // Of beginnings that begin with one another the shortest says all.
        var shortest: [String] = []
        for name in patterns.lazy.filter(\.isPrefix).map(\.name).sorted() {
            if let last = shortest.last, name.hasPrefix(last) { continue }
            shortest.append(name)
        }
        beginnings = shortest
    }

    /// Whether all that the pattern means is meant here.
    func contains(_ pattern: InterfacePattern) -> Bool {
        if !pattern.isPrefix && names.contains(pattern.name) { return true }
        // The last beginning that is the name or sorts before it.
        var (low, high) = (0, beginnings.count)
        while low < high {
            let middle = (low + high) / 2
            if beginnings[middle] <= pattern.name { low = middle + 1 } else { high = middle }
        }
        return low > 0 && pattern.name.hasPrefix(beginnings[low - 1])
    }
}
