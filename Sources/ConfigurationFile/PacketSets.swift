// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// A range of numbers.
struct Interval: Hashable {
    var first: Int
    var last: Int
}

/// Sets of packets, each as the product of sets of numbers: its addresses, its ports, its interfaces and so on, one in each
/// dimension.
///
/// What they are compared for does not depend on what the dimensions mean: `MarkConflicts` looks for two sets that have a packet in
/// common, `ShadowedTranslations` for one that others cover. Both cut space into cells until few sets are left in each.
struct PacketSets {
    /// How many dimensions there may be.
    static let dimensions = 7

    /// Intervals of a set in one dimension: a part of `pool`.
    struct Span: Hashable {
        var low: Int32
        var high: Int32

        var count: Int { Int(high - low) }
    }

    /// A set, or what of it is in a cell.
    struct Item {
        /// The entry that the set belongs to.
        let owner: Int
        var spans: InlineArray<7, Span>
    }

    /// A part of space: from the first to the last number in each dimension.
    struct Cell {
        var sides = InlineArray<7, Interval>(repeating: Interval(first: .min, last: .max))
    }

    /// All intervals; those of one set in one dimension are together, sorted, and do not overlap.
    private(set) var pool: [Interval] = [Interval(first: .min, last: .max)]
    private(set) var items: [Item] = []

    /// Every number.
    static let everything = Span(low: 0, high: 1)

    /// Adds intervals; they are sorted, and those that overlap or touch become one.
    mutating func span(_ intervals: [Interval]) -> Span {
        let start = pool.count
        for interval in intervals.count > 1 ? intervals.sorted(by: { $0.first < $1.first }) : intervals {
            if pool.count > start, interval.first <= pool[pool.count - 1].last + 1 {
                pool[pool.count - 1].last = max(pool[pool.count - 1].last, interval.last)
            } else {
                pool.append(interval)
            }
        }
        return Span(low: Int32(start), high: Int32(pool.count))
    }

    /// Adds a set, unless it is empty. Dimensions that are not given are everything.
    mutating func add(_ owner: Int, _ spans: [Span]) {
        guard spans.allSatisfy({ $0.count > 0 }) else { return }
        var item = Item(owner: owner, spans: InlineArray(repeating: PacketSets.everything))
        for (dimension, span) in spans.enumerated() { item.spans[dimension] = span }
        items.append(item)
    }

    // MARK: - Cells

    /// The smallest cell that has all of what of these sets is in `cell`.
    func hull(_ items: [Item], in cell: Cell) -> Cell {
        var hull = Cell()
        for dimension in 0..<PacketSets.dimensions {
            var (first, last) = (Int.max, Int.min)
            for item in items {
                let span = item.spans[dimension]
                first = min(first, pool[Int(span.low)].first)
                last = max(last, pool[Int(span.high) - 1].last)
            }
            let side = cell.sides[dimension]
            hull.sides[dimension] = Interval(first: max(first, side.first), last: min(last, side.last))
        }
        return hull
    }

    /// Whether the set has the whole cell.
    func covers(_ item: Item, _ cell: Cell) -> Bool {
        for dimension in 0..<PacketSets.dimensions where !covers(item, cell, dimension) { return false }
        return true
    }

    private func covers(_ item: Item, _ cell: Cell, _ dimension: Int) -> Bool {
        let (span, side) = (item.spans[dimension], cell.sides[dimension])
        guard span.count == 1 else { return false }
        return pool[Int(span.low)].first <= side.first && pool[Int(span.low)].last >= side.last
    }

    /// Whether two sets have a packet in common, within a cell that both were cut to.
    func meet(_ left: Item, _ right: Item, in cell: Cell) -> Bool {
        for dimension in 0..<PacketSets.dimensions {
            let (a, b, side) = (left.spans[dimension], right.spans[dimension], cell.sides[dimension])
            var (i, j) = (Int(a.low), Int(b.low))
            var isCommon = false
            while !isCommon, i < Int(a.high), j < Int(b.high) {
                let first = max(pool[i].first, pool[j].first, side.first)
                let last = min(pool[i].last, pool[j].last, side.last)
                isCommon = first <= last
                if pool[i].last < pool[j].last { i += 1 } else { j += 1 }
            }
            if !isCommon { return false }
        }
        return true
    }

    /// Where to cut a cell so that as few sets as can be are in both halves, and the halves have alike many.
    func cut(_ items: [Item], _ cell: Cell) -> (dimension: Int, at: Int)? {
        var best: (dimension: Int, at: Int, cost: Int, intervals: Int)?
        // A sample is enough to find a good cut.
        let step = max(1, items.count / 128)
        for dimension in 0..<PacketSets.dimensions {
            let side = cell.sides[dimension]
            guard side.first < side.last else { continue }
            var (edges, intervals): ([Int], Int) = ([], 0)
            for index in stride(from: 0, to: items.count, by: step) where !covers(items[index], cell, dimension) {
                let span = items[index].spans[dimension]
                intervals += span.count
                // An edge in the middle of the set; the outer ones are not inside of the cell for every set.
                for position in [Int(span.low), Int(span.low + span.high) / 2, Int(span.high) - 1] {
                    if pool[position].first > side.first { edges.append(pool[position].first) }
                    if pool[position].last < side.last { edges.append(pool[position].last + 1) }
                }
            }
            guard !edges.isEmpty else { continue }
            edges.sort()
            let at = edges[edges.count / 2]
            var (left, right) = (0, 0)
            for index in stride(from: 0, to: items.count, by: step) {
                let span = items[index].spans[dimension]
                if pool[Int(span.low)].first < at { left += 1 }
                if pool[Int(span.high) - 1].last >= at { right += 1 }
            }
            let cost = left * left + right * right
            if best.map({ (cost, -intervals) < ($0.cost, -$0.intervals) }) ?? true { best = (dimension, at, cost, intervals) }
        }
        return best.map { ($0.dimension, $0.at) }
    }

    /// The two halves of a cell with what of the sets is in each.
    func halves(
        _ items: [Item], _ cell: Cell, _ cut: (dimension: Int, at: Int)
    ) -> (left: (items: [Item], cell: Cell), right: (items: [Item], cell: Cell)) {
        var (left, right): ([Item], [Item]) = ([], [])
        for var item in items {
            let span = item.spans[cut.dimension]
            // The first interval that ends at the cut or after it.
            var (low, high) = (span.low, span.high)
            while low < high {
                let middle = (low + high) / 2
                if pool[Int(middle)].last < cut.at { low = middle + 1 } else { high = middle }
            }
            let isAcross = low < span.high && pool[Int(low)].first < cut.at
            let leftSpan = Span(low: span.low, high: isAcross ? low + 1 : low)
            if leftSpan.count > 0 {
                item.spans[cut.dimension] = leftSpan
                left.append(item)
            }
            if low < span.high {
                item.spans[cut.dimension] = Span(low: low, high: span.high)
                right.append(item)
            }
        }
        var (leftCell, rightCell) = (cell, cell)
        leftCell.sides[cut.dimension].last = cut.at - 1
        rightCell.sides[cut.dimension].first = cut.at
        return ((left, leftCell), (right, rightCell))
    }
}
