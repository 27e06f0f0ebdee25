// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// The rules that the packets of a hook meet in one table, in their order, with the packets that each meets.
///
/// A jump is followed, and what is asked on the way is asked of every rule behind it. Example: `-A PREROUTING -s 10.0.0.0/8 -j LVS`
/// and `-A LVS -d 203.0.113.10 -j MARK …` give one item for that source and destination. A RETURN takes its packets out of the
/// items that follow in the same chain.
struct HookWalk {
    /// A rule that packets meet; of jumps only `-g` in the hook's own chain, whose packets pass the rest of it by.
    struct Item {
        let rule: FoundRule
        /// Its packets, RETURNs before it in its chains not taken off.
        let region: Region
        /// The regions that RETURNs before it, in the chains on the way, take off; the nearest last.
        let returned: [Region]
    }

    private(set) var items: [Item] = []
    /// Rules that no packet of the hook meets by any way that was followed, with the reason.
    private(set) var unreached: [(rule: FoundRule, reason: String)] = []

    private let chains: [ChainName: FoundChain]
    private let skipsOurs: Bool
    private let family: Family
    private static let mostItems = 200_000

    private struct Frame {
        let chain: FoundChain
        var index = 0
        let region: Region
        /// How many entries of `returned` there were when the chain was entered.
        let returnedBefore: Int
        /// For a chain entered by goto: the rule and its packets, which do not come back to the rules after it.
        let leaving: (rule: FoundRule, region: Region)?
    }

    /// Walks through the chains from the hook.
    ///
    /// - Parameter skipsOurs: whether chains of fwmarkd are passed over.
    init(_ chains: [FoundChain], _ family: Family, from hook: ChainName, skipsOurs: Bool) {
        self.chains = Dictionary(chains.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.skipsOurs = skipsOurs
        self.family = family
        let entered = walk(from: hook)
        for chain in chains
        where !entered.contains(chain.name) && chain.name != .hold && Hook(chain: chain.name) == nil
            && !(skipsOurs && chain.name.isOurs)
        {
            unreached += chain.rules.map { ($0, "no rule on the way of packets leads to \(chain.name)") }
        }
    }

    private mutating func walk(from hook: ChainName) -> Set<ChainName> {
        guard let first = chains[hook] else { return [] }
        var entered: Set<ChainName> = [hook]
        var open: Set<ChainName> = [hook]
        var frames = [Frame(chain: first, region: Region(), returnedBefore: 0, leaving: nil)]
        var returned: [Region] = []
        while var frame = frames.popLast() {
            guard frame.index < frame.chain.rules.count, items.count < HookWalk.mostItems else {
                returned.removeSubrange(frame.returnedBefore...)
                open.remove(frame.chain.name)
                if let leaving = frame.leaving {
                    returned.append(leaving.region)
                    if frames.count == 1 { items.append(Item(rule: leaving.rule, region: leaving.region, returned: [])) }
                }
                continue
            }
            let found = frame.chain.rules[frame.index]
            frame.index += 1
            let own = Region(found.rule.match, family)
            guard let region = frame.region.intersection(own) else {
                unreached.append((found, "no packet gets here: the rules on the way match others"))
                frames.append(frame)
                continue
            }
            frames.append(frame)
            guard let name = found.rule.target.chain else {
                items.append(Item(rule: found, region: region, returned: returned))
                if found.rule.target == .returnToCaller, frames.count > 1 { returned.append(region) }
                continue
            }
            guard let next = chains[name], !(skipsOurs && name.isOurs), open.insert(name).inserted else { continue }
            entered.insert(name)
            let isGoto = found.rule.target == .goTo(name)
            frames.append(
                Frame(chain: next, region: region, returnedBefore: returned.count, leaving: isGoto ? (found, region) : nil))
        }
        return entered
    }
}
