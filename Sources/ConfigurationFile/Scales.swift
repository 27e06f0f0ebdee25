// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Numbers for what the dimensions of `PacketSets` are made of. Addresses and names of interfaces become their rank among those that
/// entries begin and end with, so that all are small numbers and an interval of them is one of the real things.
struct Scales {
    private var addresses: (ipv4: [UInt128], ipv6: [UInt128]) = ([0], [0])
    private var names: [String] = [""]

    /// Scales on which these prefixes and patterns begin and end at a number.
    init(_ prefixes: [Selection<Prefix>], _ patterns: [Selection<InterfacePattern>]) {
        for prefix in prefixes.lazy.flatMap({ $0.included + $0.excluded }) {
            let after = prefix.last.bits
            if prefix.family == .ipv4 {
                addresses.ipv4 += [prefix.address.bits, after + 1]
            } else {
                addresses.ipv6.append(prefix.address.bits)
                if after < .max { addresses.ipv6.append(after + 1) }
            }
        }
        for pattern in patterns.lazy.flatMap({ $0.included + $0.excluded }) {
            let (first, after) = Scales.ends(pattern)
            names.append(first)
            if let after { names.append(after) }
        }
        addresses = (Scales.unique(addresses.ipv4), Scales.unique(addresses.ipv6))
        names = Scales.unique(names)
    }

    /// The addresses of a family that match, as intervals of ranks.
    func intervals(_ selection: Selection<Prefix>, _ family: Family) -> [Interval] {
        let scale = family == .ipv4 ? addresses.ipv4 : addresses.ipv6
        if selection.isEmpty { return [Interval(first: 0, last: scale.count)] }
        return AddressRanges(selection)[family].map { range in
            let last = range.last == (family == .ipv4 ? 0xffff_ffff : .max) ? scale.count : Scales.rank(range.last + 1, scale) - 1
            return Interval(first: Scales.rank(range.first, scale), last: last)
        }
    }

    /// The names that match, as intervals of ranks.
    func intervals(_ selection: Selection<InterfacePattern>) -> [Interval] {
        let included = selection.included.isEmpty ? [Interval(first: 0, last: names.count)] : selection.included.map(interval)
        return Interval.difference(included, selection.excluded.map(interval))
    }

    private func interval(_ pattern: InterfacePattern) -> Interval {
        let (first, after) = Scales.ends(pattern)
        return Interval(first: Scales.rank(first, names), last: after.map { Scales.rank($0, names) - 1 } ?? names.count)
    }

    /// The first name that is meant, and the first after those; nil if there is none after.
    private static func ends(_ pattern: InterfacePattern) -> (first: String, after: String?) {
        guard pattern.isPrefix else { return (pattern.name, pattern.name + "\0") }
        guard let last = pattern.name.utf8.last else { return ("", nil) }
        // Names are ASCII, and no byte is the last of them.
        return (pattern.name, String(pattern.name.dropLast()) + String(UnicodeScalar(last + 1)))
    }

    private static func unique<Value: Comparable>(_ values: [Value]) -> [Value] {
        var result: [Value] = []
        for value in values.sorted() where result.last != value { result.append(value) }
        return result
    }

    private static func rank<Value: Comparable>(_ value: Value, _ scale: [Value]) -> Int {
        var (low, high) = (0, scale.count)
        while low < high {
            let middle = (low + high) / 2
            if scale[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Interval {
    /// What of the first is not in the second, in any order; the first may overlap one another.
    static func difference(_ intervals: [Interval], _ excluded: [Interval]) -> [Interval] {
        guard !excluded.isEmpty else { return intervals }
        let excluded = excluded.sorted { $0.first < $1.first }
        var result: [Interval] = []
        for interval in intervals {
            var first = interval.first
            for hole in excluded where hole.last >= first && hole.first <= interval.last {
                if hole.first > first { result.append(Interval(first: first, last: hole.first - 1)) }
                first = max(first, hole.last + 1)
            }
            if first <= interval.last { result.append(Interval(first: first, last: interval.last)) }
        }
        return result
    }

    /// Traffic as intervals of protocol and port in one number; port 0 is a packet without ports, such as a fragment.
    static func traffic(_ traffic: Traffic) -> [Interval] {
        if traffic.isEverything { return [Interval(first: 0, last: 256 << 16 - 1)] }
        var intervals: [Interval] = []
        for transport in TransportProtocol.allCases {
            let base = Int(transport.number) << 16
            for range in traffic[transport] {
                intervals.append(Interval(first: base + Int(range.lower), last: base + Int(range.upper)))
            }
        }
        for number in traffic.protocols { intervals.append(Interval(first: Int(number) << 16, last: Int(number) << 16 + 0xffff)) }
        return intervals
    }

    /// MAC addresses that match; -1 is a packet without one.
    static func macs(_ selection: Selection<MACAddress>) -> [Interval] {
        let included =
            selection.included.isEmpty
            ? [Interval(first: -1, last: 1 << 48)] : selection.included.map { Interval(first: Int($0.bits), last: Int($0.bits)) }
        return difference(included, selection.excluded.map { Interval(first: Int($0.bits), last: Int($0.bits)) })
    }
}
