// SPDX-License-Identifier: GPL-2.0-or-later
package import Netfilter
package import Rules

/// Rules of other programs that ours take the place of, in one table.
///
/// That no packet changes was shown for the table as it was then. So they are taken out only while the rules that are not ours are
/// the same as then, each where it was.
package struct Replacement: Sendable {
    /// Which table.
    package var table: TableID { before.id }
    /// The table as it was looked at.
    let before: TableSnapshot
    /// The numbers, counted from 0, of the rules to take out of chains that are not ours.
    let removed: [ChainName: Set<Int>]

    /// Takes the rules of these numbers out of the table, if its other rules are as in `before`.
    package init(in before: TableSnapshot, removing removed: [ChainName: Set<Int>]) {
        (self.before, self.removed) = (before, removed)
    }

    /// The rules that are not ours, chain by chain, as they have to be before; nil in `removing` leaves all in.
    private static func foreign(_ snapshot: TableSnapshot, without removed: [ChainName: Set<Int>]) -> [ChainName: [KernelRule
        .Content]]
    {
        var chains: [ChainName: [KernelRule.Content]] = [:]
        for chain in snapshot.chains where !chain.name.isOurs {
            let gone = removed[chain.name] ?? []
            chains[chain.name] = chain.rules.enumerated().filter {
                !gone.contains($0.offset) && !(chain.isBuiltIn && $0.element.isOurJump)
            }
            .map(\.element.content)
        }
        return chains
    }

    /// Whether the other programs' rules are as they were when they were looked at.
    func isUnchanged(_ snapshot: TableSnapshot?) -> Bool {
        snapshot.map { Replacement.foreign($0, without: [:]) } == Replacement.foreign(before, without: [:])
    }

    /// Whether the other programs' rules are as they were, less those that are taken out.
    func isDone(_ snapshot: TableSnapshot?) -> Bool {
        snapshot.map { Replacement.foreign($0, without: [:]) } == Replacement.foreign(before, without: removed)
    }

    /// The numbers of the rules to take out, in a table whose other rules are unchanged: our jumps may have come or gone since.
    func numbers(in snapshot: TableSnapshot?) -> [ChainName: Set<Int>] {
        var numbers: [ChainName: Set<Int>] = [:]
        for (name, gone) in removed {
            guard let then = before[name], let now = snapshot?[name] else { continue }
            func others(_ chain: ChainSnapshot) -> [Int] {
                chain.rules.indices.filter { !(chain.isBuiltIn && chain.rules[$0].isOurJump) }
            }
            let places = others(now)
            for (place, number) in zip(places, others(then)) where gone.contains(number) {
                numbers[name, default: []].insert(place)
            }
        }
        return numbers
    }
}
