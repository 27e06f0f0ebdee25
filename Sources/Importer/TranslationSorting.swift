// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A rule that a masquerade can take the place of.
struct TranslationCandidate: Candidate {
    let rule: FoundRule
    let to: Masquerade.Translation
    let isRandom: Bool
    var region: Region
}

/// Sorts the rules that POSTROUTING meets in nat into those that masquerades can take the place of, and those that stay. An ACCEPT that
/// keeps packets from a translation after it becomes `to: unchanged`.
struct TranslationSorting {
    private(set) var sorting: Sorting<TranslationCandidate>

    init(_ items: [HookWalk.Item], _ position: HookPosition) {
        sorting = Sorting(items, position)
        classify()
        leaveOutUnneeded()
        sorting.leaveOutBlocked(
            where: { TranslationSorting.effect(items[$0]).contains(.ends) },
            { index, candidate in
                // What leaves the chain by -g comes to a jump before it.
                (position == .last || items[index].rule.rule.target.chain == nil)
                    && items[index].region.meets(candidate.region)
            })
    }

    private static func effect(_ item: HookWalk.Item) -> RuleEffect {
        .of(item.rule.rule, isInHook: item.rule.chain == Hook.postrouting.chain)
    }

    private mutating func classify() {
        for (index, item) in sorting.items.enumerated() {
            let candidate = TranslationSorting.candidate(item, TranslationSorting.effect(item))
            sorting.take(index, candidate, without: item.returned, "masquerades") { $0.inInterfaces.isEmpty && $0.macs.isEmpty }
            guard let region = sorting.candidates[index]?.region else { continue }
            if region.sources.isEmpty && region.addresses.isEmpty && region.mark == nil {
                sorting.leave(
                    index, because: "a masquerade needs sources, services or destinations, and this translates every packet")
            }
        }
    }

    private static func candidate(_ item: HookWalk.Item, _ effect: RuleEffect) -> Result<TranslationCandidate, Reason> {
        let to: Masquerade.Translation
        var isRandom = false
        switch item.rule.rule.target {
        case .masquerade(let options):
            guard options == TranslationOptions() || options == TranslationOptions(isFullyRandom: true) else {
                return .failure(Reason("a masquerade cannot express the ports to use"))
            }
            to = .masquerade
            isRandom = options.isFullyRandom
        case .sourceNAT(let range):
            guard range.options == TranslationOptions() || range.options == TranslationOptions(isFullyRandom: true) else {
                return .failure(Reason("a masquerade cannot express the ports to use"))
            }
            to = .addresses(range.first, range.last)
            isRandom = range.options.isFullyRandom
        case .accept: to = .unchanged
        case .returnToCaller where effect.contains(.ends): to = .unchanged
        case .other(let other): return .failure(Reason("a configuration cannot express -j \(printable(other.name))"))
        default: return .failure(Reason("it translates no source"))
        }
        if let unclear = item.region.unclear { return .failure(Reason("a masquerade cannot express \(unclear)")) }
        if !item.region.inInterfaces.isEmpty { return .failure(Reason("a masquerade has no incoming interface (-i)")) }
        if !item.region.macs.isEmpty { return .failure(Reason("a masquerade has no MAC addresses")) }
        if let transport = item.region.transport, TransportProtocol(number: transport) == nil {
            return .failure(Reason("a masquerade cannot express the protocol \(ProtocolMatch(transport).name) (-p)"))
        }
        return .success(TranslationCandidate(rule: item.rule, to: to, isRandom: isRandom, region: item.region))
    }

    /// An exception without a translation after it that it keeps packets from says nothing.
    private mutating func leaveOutUnneeded() {
        var translations: [Region] = []
        for index in sorting.candidates.keys.sorted(by: >) {
            guard let candidate = sorting.candidates[index] else { continue }
            if candidate.to != .unchanged {
                translations.append(candidate.region)
            } else if !translations.contains(where: { $0.meets(candidate.region) }) {
                sorting.leave(index, because: "it translates no source, and keeps no packet from a translation")
            }
        }
    }
}
