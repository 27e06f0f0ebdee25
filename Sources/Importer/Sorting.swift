// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A rule that an entry of a configuration can take the place of.
protocol Candidate {
    var rule: FoundRule { get }
    /// Its packets.
    var region: Region { get set }
}

/// The rules that a hook meets in a table, sorted into those that entries can take the place of, and those that stay.
struct Sorting<Kind: Candidate> {
    let items: [HookWalk.Item]
    let position: HookPosition
    /// By their number among the items.
    var candidates: [Int: Kind] = [:]
    /// Why others stay.
    var reasons: [Int: String] = [:]
    /// Those of whose packets later ones decide about all: nothing of them has to be kept.
    var overridden: Set<Int> = []

    init(_ items: [HookWalk.Item], _ position: HookPosition) {
        self.items = items
        self.position = position
    }

    /// Takes a rule in: as a candidate for what earlier rules leave of its packets, or with the reason why it stays.
    ///
    /// - Parameters:
    ///   - entries: what it would become a part of: `services`.
    ///   - hasWords: whether they have words for what is left.
    mutating func take(
        _ index: Int, _ candidate: Result<Kind, Reason>, without earlier: [Region], _ entries: String, _ hasWords: (Region) -> Bool
    ) {
        switch candidate {
        case .success(var candidate):
            switch candidate.region.subtracting(all: earlier) {
            case .region(let region) where hasWords(region):
                candidate.region = region
                candidates[index] = candidate
            case .nothing: overridden.insert(index)
            case .region, .inexpressible:
                reasons[index] = "an earlier rule takes out some of its packets in a way that \(entries) cannot express"
            }
        case .failure(let reason): reasons[index] = reason.text
        }
    }

    /// Leaves a candidate where it is.
    mutating func leave(_ index: Int, because reason: String) {
        candidates[index] = nil
        reasons[index] = reason
    }

    /// Leaves out what a rule that stays, and would be met in another order, might change, until nothing more follows from that.
    ///
    /// - Parameters:
    ///   - matters: whether a rule, where it stays, can change what becomes of packets by its place.
    ///   - blocks: whether one that does keeps a candidate from going past it.
    mutating func leaveOutBlocked(where matters: (Int) -> Bool, _ blocks: (Int, Kind) -> Bool) {
        repeat {
            // Each rule that stays, once; one that is left out stays, and may block others in its turn.
            var staying = items.indices.filter { candidates[$0] == nil && !overridden.contains($0) && matters($0) }
            while !staying.isEmpty {
                var next: [Int] = []
                for index in candidates.keys.sorted() {
                    guard let candidate = candidates[index] else { continue }
                    let blocker = staying.first { other in
                        (position == .first ? other < index : other > index) && blocks(other, candidate)
                    }
                    guard let blocker else { continue }
                    let (side, rule) = (position == .first ? "after" : "before", items[blocker].rule)
                    leave(
                        index,
                        because: "\(side) a rule that stays and may decide about its packets: -A \(rule.chain) \(rule.text)")
                    next.append(index)
                }
                staying = next.filter(matters)
            }
        } while leaveOutHalves()
    }

    /// A rule that packets meet by several ways stays if it stays on one of them.
    private mutating func leaveOutHalves() -> Bool {
        let staying = Set(reasons.keys.map { items[$0].rule })
        let halves = candidates.keys.filter { staying.contains(items[$0].rule) }
        for index in halves { leave(index, because: "packets meet it by several ways, and on one of them it has to stay") }
        return !halves.isEmpty
    }
}
