// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// The addresses of one family that a list of the file means, in the fewest prefixes: those in `included` that are not in
/// `excluded`.
struct AddressChoice {
    /// Prefixes of which none contains another, in the order of the file; the one of all addresses where the list has none.
    private(set) var included: [Prefix]
    /// Prefixes of which none contains another, each inside one of `included`.
    private(set) var excluded: [Prefix]

    /// The choice of the list; nil where no address of the family is meant.
    init?(_ list: Selection<Prefix>, _ family: Family) {
        if list.excluded.isEmpty, list.included.count == 1 {
            guard list.included[0].family == family else { return nil }
            (included, excluded) = (list.included, [])
            return
        }
        let holes = AddressChoice.outermost(list.excluded, family)
        included =
            list.included.isEmpty ? [.everything(family)] : AddressChoice.outermost(list.included, family)
        guard !holes.isEmpty else {
            excluded = []
            if included.isEmpty { return nil }
            return
        }
        let sortedHoles = holes.sorted()
        included = included.filter { !AddressChoice.isInside($0, one: sortedHoles) }
        let sorted = included.sorted()
        excluded = holes.filter { AddressChoice.isInside($0, one: sorted) }
        if included.isEmpty { return nil }
    }

    /// Whether one of the prefixes, sorted and none inside another, contains the given one.
    private static func isInside(_ prefix: Prefix, one sorted: [Prefix]) -> Bool {
        // The last that does not begin after the prefix.
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle].address <= prefix.address { low = middle + 1 } else { high = middle }
        }
        return low > 0 && sorted[low - 1].contains(prefix)
    }

    /// The prefixes of one family in their order, less those that another one of them contains.
    private static func outermost(_ prefixes: [Prefix], _ family: Family) -> [Prefix] {
        let ours = prefixes.filter { $0.family == family }
        guard ours.count > 1 else { return ours }
        var widest: Set<Prefix> = []
        var last: Prefix?
        // In sorted order a prefix is before all that it contains, and nothing else is between them.
        for prefix in ours.sorted() where !(last?.contains(prefix) ?? false) {
            widest.insert(prefix)
            last = prefix
        }
        return ours.filter { widest.remove($0) != nil }
    }
}

extension Prefix {
    /// The prefix of all addresses of the family.
    static func everything(_ family: Family) -> Prefix {
        Prefix(containing: Address(family: family, bits: 0), length: 0)
    }
}

extension AddressMatch {
    /// The match of the prefix, or nil for that of all addresses: the kernel keeps no match that every packet passes.
    static func of(_ prefix: Prefix) -> AddressMatch? {
        prefix.length == 0 ? nil : AddressMatch(prefix)
    }
}
