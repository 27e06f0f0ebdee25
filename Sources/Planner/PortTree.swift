// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// The rules of one protocol for one prefix that many services share, or of one service with many scattered ports, distinguished by
/// destination port.
///
/// As with addresses, a chain distinguishes a few bits of a port. A rule is where the lowest of its ports is, and the way
/// to it asks for all ports that rules below have, or some more where these are scattered: so each rule is there once, whatever
/// its ports are. Where the ports of a way are also those of a rule or way after it, the packet comes back.
///
/// 41 rules on 203.0.113.10, TCP 5001, 5002, … 5040 and one 5000:6000:
///
///     -d 203.0.113.10/32 -p tcp -j fwmarkd-p-A
///     fwmarkd-p-A   --dport 5000:6000 -j fwmarkd-p-B   4992 to 5007, and beyond because of the one range: a jump
///                   --dport 5008:5023 -g fwmarkd-p-C
///                   --dport 5024:5039 -g fwmarkd-p-D
///                   --dport 5040 -j MARK …             one rule needs no chain of its own
struct PortTree {
    /// How many bits of a port a chain distinguishes.
    private static let stride = 4
    /// The most rules in a leaf.
    static let leafRules = 16
    /// The most ranges on a way.
    private static let wayRanges = 7

    /// A rule and its ports.
    private struct Item {
        let rule: Int
        let ports: [PortRange]
        var first: UInt16 { ports[0].lower }
    }

    /// The ports that share their first `length` bits with `first`.
    private struct Slot {
        let first: UInt16
        let length: Int
    }

    /// What a chain has: a rule, or a way to several.
    private struct Way {
        let slot: Slot
        let items: [Item]
        let ports: [PortRange]

        func overlaps(_ other: Way) -> Bool {
            ports.contains { range in other.ports.contains { $0.overlaps(range) } }
        }
    }

    private let rules: [PlacedRule]
    private let parts: RuleParts
    private let kind: String
    private let prefix: Prefix?
    private let transport: ProtocolMatch

    /// Adds rules that mark the same packets as those at the places to the list, and the chains that they lead to to the draft.
    static func add(
        _ places: [Int], of rules: [PlacedRule], _ parts: RuleParts, kind: String, prefix: Prefix?, to draft: inout TableDraft,
        _ list: inout OwnedRules
    ) {
        var ofTransport: [(transport: ProtocolMatch, places: [Int])] = []
        for place in places {
            guard let transport = parts.traffics[Int(rules[place].traffic)].transport, ports(rules[place], parts) != nil else {
                list.append(parts.rule(rules[place]), owner: rules[place].owner)
                continue
            }
            if let index = ofTransport.firstIndex(where: { $0.transport == transport }) {
                ofTransport[index].places.append(place)
            } else {
                ofTransport.append((transport, [place]))
            }
        }
        for (transport, places) in ofTransport {
            guard places.count > leafRules else {
                for place in places { list.append(parts.rule(rules[place]), owner: rules[place].owner) }
                continue
            }
            let tree = PortTree(rules: rules, parts: parts, kind: kind, prefix: prefix, transport: transport)
            let items = places.map { Item(rule: $0, ports: ports(rules[$0], parts) ?? [.all]) }
            // Stable, so that a service's rules stay in their order.
            let sorted = items.enumerated().sorted { ($0.element.first, $0.offset) < ($1.element.first, $1.offset) }
            var match = RuleMatch(transport: transport)
            if let prefix { match[parts.side] = .of(prefix) }
            let root = tree.add(Slot(first: 0, length: 0), sorted.map(\.element), &draft)
            list.append(Rule(match, target: .jump(root)))
        }
    }

    /// The destination ports that the rule asks for; nil: it asks for none.
    private static func ports(_ rule: PlacedRule, _ parts: RuleParts) -> [PortRange]? {
        for case .ports(let match) in parts.traffics[Int(rule.traffic)].conditions where match.side == .destination {
            return match.ranges
        }
        return nil
    }

    /// Adds the chain for the items, whose first ports are all in the slot, and the chains below it.
    private func add(_ slot: Slot, _ items: [Item], _ draft: inout TableDraft) -> ChainName {
        let name = draft.names.ports("\(kind) \(transport.number)", prefix, slot.first, slot.length)
        let position = draft.open(name)
        var list = OwnedRules()
        let ways = items.count > PortTree.leafRules ? self.ways(slot, items) : nil
        for (number, way) in (ways ?? []).enumerated() {
            guard way.items.count > DispatchTree.inlineRules else {
                append(way.items, &list)
                continue
            }
            let next = add(way.slot, way.items, &draft)
            let returns = ways?[(number + 1)...].contains { $0.overlaps(way) } ?? false
            var match = RuleMatch(transport: transport)
            if way.ports != [.all] { match.conditions = [.ports(PortMatch(.destination, way.ports))] }
            list.append(Rule(match, target: returns ? .jump(next) : .goTo(next)))
        }
        if ways == nil { append(items, &list) }
        draft.set(list, at: position)
        return name
    }

    private func append(_ items: [Item], _ list: inout OwnedRules) {
        for item in items { list.append(parts.rule(rules[item.rule]), owner: rules[item.rule].owner) }
    }

    /// The items by the next bits of their first ports that not all share; nil where all begin with the same port.
    private func ways(_ slot: Slot, _ items: [Item]) -> [Way]? {
        guard let first = items.first?.first, let last = items.last?.first, first != last else { return nil }
        let shared = (first ^ last).leadingZeroBitCount / PortTree.stride * PortTree.stride
        let length = max(shared, slot.length) + PortTree.stride
        let mask = UInt16(truncatingIfNeeded: 0xffff_0000 >> length)
        var ways: [Way] = []
        var start = 0
        while start < items.count {
            let bits = items[start].first & mask
            var end = start + 1
            while end < items.count, items[end].first & mask == bits { end += 1 }
            let inside = Array(items[start..<end])
            ways.append(Way(slot: Slot(first: bits, length: length), items: inside, ports: PortTree.ports(inside)))
            start = end
        }
        return ways
    }

    /// The ports of the items, or some more where these are scattered: in as many ranges as a match has room for, and no more than
    /// leave wide gaps between them.
    private static func ports(_ items: [Item]) -> [PortRange] {
        let merged = PortRange.merged(items.flatMap(\.ports))
        guard let first = merged.first, let last = merged.last, merged.count > 1 else { return merged }
        let span = Int(last.upper) - Int(first.lower)
        func gap(_ index: Int) -> Int { Int(merged[index + 1].lower) - Int(merged[index].upper) }
        let gaps = merged.indices.dropLast().filter { gap($0) > span / 8 }
            .sorted { (gap($1), $0) < (gap($0), $1) }.prefix(wayRanges - 1).sorted()
        var ranges: [PortRange] = []
        var lower = first.lower
        for index in gaps {
            ranges.append(PortRange(lower, merged[index].upper))
            lower = merged[index + 1].lower
        }
        return ranges + [PortRange(lower, last.upper)]
    }
}
