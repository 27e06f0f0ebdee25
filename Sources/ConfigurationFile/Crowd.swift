// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Finds entries that share an address with others. Most entries have addresses of their own, and need no closer look.
enum Crowd {
    /// The entries that share an address with others, where those together are of interest, in their order.
    ///
    /// - Parameters:
    ///   - prefixes: the addresses of an entry; none means all.
    ///   - isOfInterest: whether entries that share an address need a closer look.
    static func members(
        _ count: Int, prefixes: (Int) -> [Prefix], isOfInterest: ([Int]) -> Bool
    ) -> [Int] {
        var items: [(prefix: Prefix, entry: Int)] = []
        items.reserveCapacity(count)
        for index in 0..<count {
            let own = prefixes(index)
            for prefix in own.isEmpty ? AddressRanges.everything : own { items.append((prefix, index)) }
        }
        items.sort { $0.prefix < $1.prefix }
        var found: Set<Int> = []
        var start = 0
        while start < items.count {
            // Of two prefixes that overlap one holds the other, and the wider one comes first.
            let widest = items[start].prefix
            var end = start + 1
            while end < items.count, widest.contains(items[end].prefix) { end += 1 }
            if end - start > 1 {
                let members = items[start..<end].map(\.entry)
                if isOfInterest(members) { found.formUnion(members) }
            }
            start = end
        }
        return found.sorted()
    }
}
