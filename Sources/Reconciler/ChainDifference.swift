// SPDX-License-Identifier: GPL-2.0-or-later
import Netfilter
import Rules

/// The least that turns one list of rules into another while rules that stay are left alone.
///
/// Rules that stay must keep their counters even while packets pass, so they are never rewritten. Which ones stay: each wanted
/// rule is paired with an equal standing one, the first with the first, and of these pairs a longest run in rising order stays.
/// O(n log n), and for rules without duplicates the least possible. A paired rule outside the run moves: it is taken out and put
/// in with the counters it had.
struct ChainDifference {
    /// What the chain is, and what it should be.
    let standing, wanted: KernelRules
    /// Numbers of standing rules that are taken out, rising.
    private(set) var removed: [Int] = []
    /// Numbers of wanted rules that are put in, rising; with those that move, the number of the standing rule that is the same.
    private(set) var inserted: [(index: Int, from: Int?)] = []

    /// Whether nothing differs.
    var isEmpty: Bool { removed.isEmpty && inserted.isEmpty }

    init(from standing: KernelRules, to wanted: KernelRules) {
        self.standing = standing
        self.wanted = wanted
        // What is equal at both ends is by far the most, and is set aside before anything is decoded or hashed.
        let (head, tail) = standing.commonEnds(with: wanted)
        let standingMiddle = head..<standing.count - tail
        let wantedMiddle = head..<wanted.count - tail
        guard !standingMiddle.isEmpty, !wantedMiddle.isEmpty else {
            removed = Array(standingMiddle)
            inserted = wantedMiddle.map { ($0, nil) }
            return
        }
        var places: [KernelRule.Content: [Int]] = [:]
        for index in standingMiddle.reversed() { places[standing[index].content, default: []].append(index) }
        let partners = wantedMiddle.map { places[wanted[$0].content]?.popLast() }

        let staying = longestRisingRun(partners)
        let stayingPlaces = Set(staying.compactMap { partners[$0] })
        removed = standingMiddle.filter { !stayingPlaces.contains($0) }
        let stayingWanted = Set(staying)
        for (offset, index) in wantedMiddle.enumerated() where !stayingWanted.contains(offset) {
            inserted.append((index, partners[offset]))
        }
    }
}

/// The positions of a longest run of rising numbers; nils are in no run. Patience sorting, O(n log n).
private func longestRisingRun(_ numbers: [Int?]) -> [Int] {
    // ends[k]: the position of the smallest number that ends a run of k + 1.
    var ends: [Int] = []
    var previous = [Int?](repeating: nil, count: numbers.count)
    for (position, number) in numbers.enumerated() {
        guard let number else { continue }
        var low = 0
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if let end = numbers[ends[middle]], end < number { low = middle + 1 } else { high = middle }
        }
        previous[position] = low > 0 ? ends[low - 1] : nil
        if low == ends.count { ends.append(position) } else { ends[low] = position }
    }
    var run: [Int] = []
    var position = ends.last
    while let current = position {
        run.append(current)
        position = previous[current]
    }
    return run.reversed()
}
