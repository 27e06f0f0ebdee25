// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A rule that a masquerade can take the place of.
struct TranslationCandidate {
    let rule: FoundRule
    let to: Masquerade.Translation
    let isRandom: Bool
    var region: Region
}

/// Sorts the rules that POSTROUTING meets in nat into those that masquerades can take the place of, and those that stay. An ACCEPT that
/// keeps packets from a translation after it becomes `to: unchanged`.
struct TranslationSorting {
    private(set) var candidates: [Int: TranslationCandidate] = [:]
    private(set) var reasons: [Int: String] = [:]
    private(set) var overridden: Set<Int> = []

    private let items: [HookWalk.Item]
    private let position: DaemonSettings.HookPosition

    init(_ items: [HookWalk.Item], _ position: DaemonSettings.HookPosition) {
        self.items = items
        self.position = position
        classify()
        leaveOutUnneeded()
        repeat { leaveOutBlocked() } while leaveOutHalves()
    }

    private func effect(_ index: Int) -> RuleEffect {
        .of(items[index].rule.rule, isInHook: items[index].rule.chain == Hook.postrouting.chain)
    }

    private mutating func classify() {
        for (index, item) in items.enumerated() {
            switch TranslationSorting.candidate(item, effect(index)) {
            case .success(var candidate):
                switch candidate.region.subtracting(all: item.returned) {
                case .region(let region):
                    candidate.region = region
                    candidates[index] = candidate
                case .nothing: overridden.insert(index)
                case .inexpressible:
                    reasons[index] = "an earlier rule takes out some of its packets in a way that masquerades have no words for"
                }
            case .failure(let reason): reasons[index] = reason.text
            }
        }
    }

    private static func candidate(_ item: HookWalk.Item, _ effect: RuleEffect) -> Result<TranslationCandidate, Reason> {
        let to: Masquerade.Translation
        var isRandom = false
        switch item.rule.rule.target {
        case .masquerade(let options):
            guard options == TranslationOptions() || options == TranslationOptions(isFullyRandom: true) else {
                return .failure(Reason("a masquerade has no words for the ports to use"))
            }
            to = .masquerade
            isRandom = options.isFullyRandom
        case .sourceNAT(let range):
            guard range.options == TranslationOptions() || range.options == TranslationOptions(isFullyRandom: true) else {
                return .failure(Reason("a masquerade has no words for the ports to use"))
            }
            to = .addresses(range.first, range.last)
            isRandom = range.options.isFullyRandom
        case .accept: to = .unchanged
        case .returnToCaller where effect.contains(.ends): to = .unchanged
        case .other(let other): return .failure(Reason("a configuration has no words for -j \(printable(other.name))"))
        default: return .failure(Reason("it translates no source"))
        }
        if let unclear = item.region.unclear { return .failure(Reason("a masquerade has no words for \(unclear)")) }
        if !item.region.inInterfaces.isEmpty { return .failure(Reason("a masquerade has no incoming interface (-i)")) }
        if !item.region.macs.isEmpty { return .failure(Reason("a masquerade has no MAC addresses")) }
        if item.region.sources.isEmpty, item.region.addresses.isEmpty, item.region.mark == nil {
            return .failure(Reason("a masquerade needs sources, services or destinations, and this translates every packet"))
        }
        return .success(TranslationCandidate(rule: item.rule, to: to, isRandom: isRandom, region: item.region))
    }

    /// An exception without a translation after it that it keeps packets from says nothing.
    private mutating func leaveOutUnneeded() {
        var translations: [Region] = []
        for index in candidates.keys.sorted(by: >) {
            guard let candidate = candidates[index] else { continue }
            if candidate.to != .unchanged {
                translations.append(candidate.region)
            } else if !translations.contains(where: { $0.meets(candidate.region) }) {
                candidates[index] = nil
                reasons[index] = "it translates no source, and keeps no packet from a translation"
            }
        }
    }

    /// A rule that packets meet by several ways stays if it stays on one of them.
    private mutating func leaveOutHalves() -> Bool {
        let staying = Set(reasons.keys.map { items[$0].rule })
        let halves = candidates.keys.filter { staying.contains(items[$0].rule) }
        for index in halves {
            candidates[index] = nil
            reasons[index] = "packets meet it by several ways, and on one of them it has to stay"
        }
        return !halves.isEmpty
    }

    private mutating func leaveOutBlocked() {
        var staying = items.indices.filter { candidates[$0] == nil && !overridden.contains($0) && effect($0).contains(.ends) }
        while !staying.isEmpty {
            var next: [Int] = []
            for index in candidates.keys.sorted() {
                guard let candidate = candidates[index] else { continue }
                let blocker = staying.first { other in
                    (position == .first ? other < index : other > index) && items[other].region.meets(candidate.region)
                }
                guard let blocker else { continue }
                candidates[index] = nil
                let side = position == .first ? "after" : "before"
                reasons[index] =
                    "\(side) a rule that stays and may decide about its packets: -A \(items[blocker].rule.chain) "
                    + items[blocker].rule.text
                next.append(index)
            }
            staying = next
        }
    }
}
