// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// What becomes of marks that later rules change again.
extension MarkSorting {
    /// Whether a rule that stays between two may see what the first did.
    private func isSeen(_ observers: [Int], between earlier: Int, and later: Int, _ region: Region) -> Bool {
        observers.contains { earlier < $0 && $0 < later && sorting.items[$0].region.meets(region) }
    }

    /// Of rules for the same packets the last decides.
    mutating func leaveOutRepeated(_ observers: [Int]) {
        var later: [Region: (mask: UInt32, index: Int)] = [:]
        for index in sorting.candidates.keys.sorted(by: >) {
            guard let candidate = sorting.candidates[index] else { continue }
            let known = later[candidate.region] ?? (0, index)
            if candidate.mark.mask & ~known.mask == 0, candidate.savedBy == nil,
                !isSeen(observers, between: index, and: known.index, candidate.region)
            {
                sorting.candidates[index] = nil
                sorting.overridden.insert(index)
            }
            later[candidate.region] = (known.mask | candidate.mark.mask, known.index)
        }
    }

    /// Takes later marks off earlier ones; where that cannot be expressed the earlier one stays.
    ///
    /// Each round settles every rule with the first of the earlier ones that it is in conflict with, and with the last of the later
    /// ones. So one that is in conflict with all others takes one round, from whichever side.
    mutating func leaveOutOverridden(_ observers: [Int]) {
        takeLaterPorts(observers)
        // Few rules may override one another many times over.
        for _ in 0..<max(4, min(64, 32_000 / max(sorting.candidates.count, 1))) {
            let conflicts = conflicts(fromEnd: false) + conflicts(fromEnd: true)
            if conflicts.isEmpty { return }
            for (earlier, later) in conflicts { settle(earlier, later, observers) }
        }
        for (earlier, _) in conflicts(fromEnd: true) {
            sorting.leave(earlier, because: "too many rules change the marks of one another")
        }
    }

    /// Pairs of candidates that give some packet two marks: for each later one the first earlier, or for each earlier one the last
    /// later.
    private func conflicts(fromEnd isFromEnd: Bool) -> [(earlier: Int, later: Int)] {
        let order = isFromEnd ? sorting.candidates.keys.sorted(by: >) : sorting.candidates.keys.sorted()
        let found = MarkConflicts.find(in: order.compactMap { sorting.candidates[$0]?.service })
        return found.map { isFromEnd ? (order[$0.later], order[$0.earlier]) : (order[$0.earlier], order[$0.later]) }
    }

    private mutating func settle(_ earlier: Int, _ later: Int, _ observers: [Int]) {
        guard let candidate = sorting.candidates[earlier], let other = sorting.candidates[later],
            candidate.region.meets(other.region)
        else { return }
        if candidate.savedBy == nil, !isSeen(observers, between: earlier, and: later, candidate.region),
            take(other, off: candidate, earlier)
        {
            return
        }
        sorting.leave(
            earlier,
            because: "a later rule gives some of its packets another mark, in a way that services cannot express")
    }

    /// Of rules that differ in ports alone each keeps those that no later one has.
    ///
    /// One walk from the last to the first settles thousands that are inside of one another.
    private mutating func takeLaterPorts(_ observers: [Int]) {
        struct Kind: Hashable {
            var region: Region
            let mask: UInt32
        }
        var later: [Kind: (ports: PortSet, index: Int)] = [:]
        for index in sorting.candidates.keys.sorted(by: >) {
            guard let candidate = sorting.candidates[index] else { continue }
            var kind = Kind(region: candidate.region, mask: candidate.mark.mask)
            kind.region.destinationPorts = [.all]
            var (ports, last) = later.removeValue(forKey: kind) ?? (PortSet(), index)
            if isSeen(observers, between: index, and: last, kind.region) { ports = PortSet() }
            last = index
            let own = candidate.region.destinationPorts
            // Fragments of a rule without a port match have no ports that could be taken.
            if own != [.all], candidate.savedBy == nil, !ports.ranges.isEmpty {
                let rest = own.flatMap(ports.holes)
                if rest.isEmpty {
                    sorting.candidates[index] = nil
                    sorting.overridden.insert(index)
                } else {
                    sorting.candidates[index]?.region.destinationPorts = rest
                }
            }
            for range in own { ports.insert(range) }
            later[kind] = (ports, last)
        }
    }

    /// - Returns: whether there are words for what is left.
    private mutating func take(_ other: MarkCandidate, off candidate: MarkCandidate, _ index: Int) -> Bool {
        // A mask leaves the earlier one's other bits in the packet.
        let isWhole = candidate.mark.mask & ~other.mark.mask == 0
        switch candidate.region.subtracting(other.region) {
        case .region(let region) where region != candidate.region && isWhole: sorting.candidates[index]?.region = region
        case .nothing where isWhole:
            sorting.candidates[index] = nil
            sorting.overridden.insert(index)
        case .nothing:
            guard let mark = candidate.mark.then(other.mark) else { return false }
            sorting.candidates[index]?.mark = mark
        case .region, .inexpressible: return false
        }
        return true
    }
}

extension Mark {
    /// The mark that has the same effect as this one and then the other; nil where a configuration has no word for it.
    fileprivate func then(_ other: Mark) -> Mark? { try? Mark(other.applied(to: value), mask: mask | other.mask) }
}
