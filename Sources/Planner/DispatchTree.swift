// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Chains in which a packet finds the rules for its address in a number of steps that grows with the logarithm of the number of
/// addresses. docs/dispatch-tree.md has a picture.
///
/// A leaf is a chain of a few rules. An inner chain sends the packet on by the next bits of its address. Where a prefix
/// contains others that are distinguished further down, its rules are in the inner chain itself: before the ways down
/// if they come first in the plain order, after them if they come last. Chains are named after the bits of the addresses
/// that lead to them and not after what else there is, so that a service more or less changes few of them.
///
/// The match of protocol and ports is as high as can be: on the way into the first chain below which all rules have the same.
///
/// Forty web servers, 192.0.2.1 to 192.0.2.40, TCP 80, and the first of them also TCP 8080:
///
///     fwmarkd-mark             -p tcp -g fwmarkd-m-root                        ports differ: the protocol alone
///     fwmarkd-m-root           -d 192.0.2.0/28 -g fwmarkd-m-c0000200-28        one of these has other ports
///                              -d 192.0.2.16/28 -p tcp --dport 80 -g fwmarkd-m-c0000210-28
///                              -d 192.0.2.32/28 -p tcp --dport 80 -g fwmarkd-m-c0000220-28
///     fwmarkd-m-c0000200-28    -d 192.0.2.1/32 -p tcp --dports 80,8080 -j MARK …
///                              -d 192.0.2.2/32 -p tcp --dport 80 -j MARK …
///     fwmarkd-m-c0000210-28    -d 192.0.2.16/32 -j MARK …                      bare: ports are asked for already
struct DispatchTree {
    /// How many address bits an inner chain distinguishes at least. The kernel reads a dozen rules that follow one another
    /// in less time than it takes to enter a chain that is not in the processor's cache (docs/performance.md).
    private static let stride = 4
    /// The most ways out of an inner chain.
    private static let fanOut = 1 << stride
    /// The most different prefixes in a leaf.
    private static let leafBlocks = 16
    /// The most rules in a leaf. Of one prefix there may be more, if they cannot be distinguished by port.
    static let leafRules = 16
    /// Up to that many rules are in the chain before them instead of a chain of their own.
    static let inlineRules = 2

    /// The rules of one prefix: a range of `order`.
    private struct Block {
        let prefix: Prefix
        var rules: Range<Int>
    }

    /// What an inner chain distinguishes.
    private struct Branch {
        /// The prefix that contains all of it.
        let prefix: Prefix
        /// The blocks too wide for a way out of their own.
        var own: [Int] = []
        /// The ways out.
        var ways: [Way] = []
    }

    /// The blocks that share the bits of `slot`.
    private struct Way {
        let slot: Prefix
        let blocks: Range<Int>
    }

    private let rules: [PlacedRule]
    private let parts: RuleParts
    /// Places in the plain order by block, and among those of one block in the plain order.
    private let order: [Int]
    /// Of each rule in `order` where the first after it is that is about other protocols or ports.
    private let sameTraffic: [Int]
    /// Of each place whether its rule has to come after those for smaller prefixes; nil: order is free.
    private let isLast: [Bool]?
    private let blocks: [Block]
    private let kind: String

    /// A tree of some of the rules.
    ///
    /// - Parameter order: their places in `rules`, as `sorted` gives them.
    /// - Parameter kind: what the names of its chains begin with.
    init(_ rules: [PlacedRule], _ order: [Int], _ parts: RuleParts, isLast: [Bool]? = nil, kind: String) {
        self.rules = rules
        self.order = order
        self.parts = parts
        self.isLast = isLast
        self.kind = kind
        var sameTraffic = Array(repeating: order.count, count: order.count)
        for place in order.indices.dropLast().reversed() {
            let isSame = rules[order[place]].traffic == rules[order[place + 1]].traffic
            sameTraffic[place] = isSame ? sameTraffic[place + 1] : place + 1
        }
        self.sameTraffic = sameTraffic
        var blocks: [Block] = []
        for (place, index) in order.enumerated() {
            if let last = blocks.last, last.prefix == rules[index].prefix {
                blocks[blocks.count - 1].rules = last.rules.lowerBound..<place + 1
            } else {
                blocks.append(Block(prefix: rules[index].prefix, rules: place..<place + 1))
            }
        }
        self.blocks = blocks
    }

    /// Places in the plain order, sorted by prefix and then as they are.
    static func sorted(_ rules: [PlacedRule], _ places: [Int]) -> [Int] {
        let isSorted = zip(places, places.dropFirst()).allSatisfy { !(rules[$1].prefix < rules[$0].prefix) }
        if isSorted { return places }
        return places.sorted { left, right in
            let (a, b) = (rules[left].prefix, rules[right].prefix)
            return a == b ? left < right : a < b
        }
    }

    // MARK: - Chains

    /// Adds the tree's chains to the draft, and the way into it to the list.
    ///
    /// - Parameter transport: the protocol of all rules; nil where they have several.
    /// - Parameter returns: whether rules after the tree are for its packets as well.
    func add(to draft: inout TableDraft, entering list: inout OwnedRules, from transport: TransportProtocol?, returns: Bool) {
        let root = draft.names.root(kind)
        let all = Prefix.everything(blocks[0].prefix.family)
        let shared = traffic(blocks.indices)
        if shared == nil, let transport {
            let match = RuleMatch(transport: ProtocolMatch(transport))
            list.append(Rule(match, target: returns ? .jump(root) : .goTo(root)))
        } else {
            list.append(parts.step(to: root, all, traffic: shared, returns: returns))
        }
        add(root, blocks.indices, isBare: shared != nil, &draft)
    }

    /// Adds the chain of the name for the blocks, and the chains below it.
    private func add(_ name: ChainName, _ range: Range<Int>, isBare: Bool, _ draft: inout TableDraft) {
        let position = draft.open(name)
        var list = OwnedRules(capacity: DispatchTree.leafRules)
        guard !isLeaf(range) else {
            if range.count == 1 {
                add(block: range.lowerBound, isBare, &draft, &list)
            } else {
                append(order(range), isBare, &list)
            }
            return draft.set(list, at: position)
        }
        let branch = branch(range)
        var last: [Int] = []
        if let isLast {
            let own = branch.own.flatMap { order[blocks[$0].rules] }.sorted()
            last = own.filter { isLast[$0] }
            append(own.filter { !isLast[$0] }, isBare, &list)
        } else {
            for block in branch.own { add(block: block, isBare, &draft, &list) }
        }
        for way in widened(branch.ways) {
            let inner = isLeaf(way.blocks) ? nil : self.branch(way.blocks)
            if inner == nil, way.blocks.count == 1, count(way.blocks) <= DispatchTree.inlineRules {
                append(order(way.blocks), isBare, &list)
                continue
            }
            // A leaf is named after the bits that lead to it, an inner chain after those that its blocks share: so it keeps
            // its name when another inner chain comes between.
            let prefix = inner?.prefix ?? way.slot
            let next = draft.names.node(kind, prefix)
            let returns = last.contains { rules[$0].prefix.overlaps(prefix) }
            let traffic = isBare ? nil : traffic(way.blocks)
            list.append(parts.step(to: next, prefix, traffic: traffic, returns: returns))
            add(next, way.blocks, isBare: isBare || traffic != nil, &draft)
        }
        append(last, isBare, &list)
        draft.set(list, at: position)
    }

    /// Appends the rules at these places of the plain order.
    private func append(_ places: [Int], _ isBare: Bool, _ list: inout OwnedRules) {
        for place in places { list.append(parts.rule(rules[place], isBare: isBare), owner: rules[place].owner) }
    }

    /// Adds the rules of one block; distinguished by port where they are many, differ in ports, and order is free.
    private func add(block: Int, _ isBare: Bool, _ draft: inout TableDraft, _ list: inout OwnedRules) {
        let own = Array(order[blocks[block].rules])
        guard isLast == nil, own.count > DispatchTree.leafRules, !isBare, traffic(block..<block + 1) == nil else {
            return append(own, isBare, &list)
        }
        PortTree.add(own, of: rules, parts, kind: kind, prefix: blocks[block].prefix, to: &draft, &list)
    }

    // MARK: - Blocks

    private func places(_ range: Range<Int>) -> Range<Int> {
        blocks[range.lowerBound].rules.lowerBound..<blocks[range.upperBound - 1].rules.upperBound
    }

    private func count(_ range: Range<Int>) -> Int { places(range).count }

    /// The blocks' rules in the plain order.
    private func order(_ range: Range<Int>) -> [Int] { order[places(range)].sorted() }

    /// The protocol and ports that all rules of the blocks are about; nil where they differ, or there is nothing to ask.
    private func traffic(_ range: Range<Int>) -> Int32? {
        let places = places(range)
        guard sameTraffic[places.lowerBound] >= places.upperBound else { return nil }
        let traffic = rules[order[places.lowerBound]].traffic
        return parts.traffics[Int(traffic)].isUnconditional ? nil : traffic
    }

    private func isLeaf(_ range: Range<Int>) -> Bool {
        range.count <= 1 || (range.count <= DispatchTree.leafBlocks && count(range) <= DispatchTree.leafRules)
    }

    /// How more than one block are distinguished. Bits are taken in groups of `stride` counted from the first, whatever the
    /// blocks are, so that branches have the same place in every tree.
    private func branch(_ range: Range<Int>) -> Branch {
        let first = blocks[range.lowerBound].prefix
        let width = first.family.bitWidth
        // The blocks are sorted: what the first and the last share, all share.
        let difference = first.address.bits ^ blocks[range.upperBound - 1].prefix.address.bits
        let shared = min(first.length, width - (UInt128.bitWidth - difference.leadingZeroBitCount))
        let length = min(shared, width - 1) / DispatchTree.stride * DispatchTree.stride
        var branch = Branch(prefix: Prefix(containing: first.address, length: length))
        let slotLength = length + DispatchTree.stride
        var index = range.lowerBound
        while index < range.upperBound {
            let prefix = blocks[index].prefix
            guard prefix.length >= slotLength else {
                branch.own.append(index)
                index += 1
                continue
            }
            let slot = Prefix(containing: prefix.address, length: slotLength)
            let end = firstBlock(after: slot, index..<range.upperBound)
            branch.ways.append(Way(slot: slot, blocks: index..<end))
            index = end
        }
        return branch
    }

    private func firstBlock(after slot: Prefix, _ range: Range<Int>) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        let last = slot.last.bits
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].prefix.address.bits <= last { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The ways, with those of them replaced by the ways below them for which there is room.
    private func widened(_ ways: [Way]) -> [Way] {
        var ways = ways
        var index = 0
        while index < ways.count {
            let below = isLeaf(ways[index].blocks) ? nil : branch(ways[index].blocks)
            if let below, below.own.isEmpty, ways.count - 1 + below.ways.count <= DispatchTree.fanOut {
                ways.replaceSubrange(index...index, with: below.ways)
            } else {
                index += 1
            }
        }
        return ways
    }
}
