// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Ports, as ranges in their order that neither overlap nor touch.
struct PortSet {
    private(set) var ranges: [PortRange] = []

    /// The parts of the range that are not in the set.
    func holes(in range: PortRange) -> [PortRange] {
        var holes: [PortRange] = []
        var next = Int(range.lower)
        for index in firstIndex(endingAt: range.lower)..<ranges.count {
            let taken = ranges[index]
            if taken.lower > range.upper { break }
            if Int(taken.lower) > next { holes.append(PortRange(UInt16(next), taken.lower - 1)) }
            next = Int(taken.upper) + 1
        }
        if next <= Int(range.upper) { holes.append(PortRange(UInt16(next), range.upper)) }
        return holes
    }

    /// Adds the range.
    mutating func insert(_ range: PortRange) {
        // Those that it overlaps or touches become one with it.
        let start = firstIndex(endingAt: range.lower == 0 ? 0 : range.lower - 1)
        var end = start
        var (lower, upper) = (range.lower, range.upper)
        while end < ranges.count, Int(ranges[end].lower) <= Int(range.upper) + 1 {
            (lower, upper) = (min(lower, ranges[end].lower), max(upper, ranges[end].upper))
            end += 1
        }
        ranges.replaceSubrange(start..<end, with: CollectionOfOne(PortRange(lower, upper)))
    }

    /// The place of the first range that ends at the port or after it.
    private func firstIndex(endingAt port: UInt16) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upper < port { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
