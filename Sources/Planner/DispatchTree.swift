import Rules

/// Chains of one table in which a packet finds the rules for its address in a number of steps that grows with the logarithm
/// of the number of addresses. docs/dispatch-tree.md has a picture.
///
/// A leaf is a chain of a few rules. An inner chain sends the packet on by the next bits of its address. Where a block of
/// addresses holds others that are told apart further down, its rules stand in the inner chain itself: before the ways down
/// if they come first in the plain order, behind them if they come last. Chains are named after the bits of the addresses
/// that lead to them and not after what else there is, so that a service more or less changes few of them.
struct DispatchTree {
    /// How many address bits an inner chain tells apart at least. The kernel reads a dozen rules that stand one behind the
    /// other in less time than it takes to enter a chain that is not in the processor's cache (docs/performance.md).
    private static let stride = 4
    /// The most ways out of an inner chain.
    private static let fanOut = 1 << stride
    /// The most different blocks of addresses in a leaf.
    private static let leafBlocks = 16
    /// The most rules in a leaf. Of one block there may be more, if they cannot be told apart by port.
    static let leafRules = 16
    /// Up to so many rules for one block stand in the inner chain instead of a leaf of their own.
    private static let inlineRules = 2

    /// The rules of one block of addresses: a range of `order`.
    private struct Block {
        let prefix: Prefix
        var rules: Range<Int>
    }

    /// What an inner chain tells apart.
    private struct Branch {
        /// The block that holds all of it.
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
    private let stack: RuleLayers
    private let table: Table
    private let layer: Int
    /// The rules of this layer by block, and among those of one block in the plain order.
    private let order: [Int]
    private let blocks: [Block]
    private var names: ChainNames
    private var chains: [Chain] = []

    /// The chains that do the same as `rules` in the plain order, entered by `table.entryChain`, which is the first of them.
    ///
    /// - Parameter isOrdered: whether the plain order matters among rules for one packet; asked only if it could change.
    /// - Parameter plainLimit: up to so many rules are left in the plain order.
    static func chains(_ rules: [PlacedRule], _ table: Table, isOrdered: () -> Bool, plainLimit: Int) -> [Chain] {
        guard rules.count > plainLimit else { return [Chain(table.entryChain, rules.map(\.rule))] }
        let stack = RuleLayers(rules, isOrdered: isOrdered)
        guard stack.layers.count > 1 else {
            var tree = DispatchTree(rules, stack, table, layer: 0, ChainNames())
            tree.add(table.entryChain, tree.blocks.indices)
            return tree.chains
        }
        // What cannot be had in one tree is had in several, one after the other.
        var entry = Chain(table.entryChain)
        var chains: [Chain] = []
        var names = ChainNames()
        for (layer, order) in stack.layers.enumerated() {
            if order.count <= plainLimit {
                entry.rules += order.sorted().map { rules[$0].rule }
            } else {
                var tree = DispatchTree(rules, stack, table, layer: layer, names)
                let root = tree.names.node(
                    table, layer, Prefix(containing: rules[order[0]].prefix.address, length: 0), isRoot: true)
                tree.add(root, tree.blocks.indices)
                entry.rules.append(Rule(target: .jump(root)))
                chains += tree.chains
                names = tree.names
            }
        }
        return [entry] + chains
    }

    private init(_ rules: [PlacedRule], _ stack: RuleLayers, _ table: Table, layer: Int, _ names: ChainNames) {
        self.rules = rules
        self.stack = stack
        self.table = table
        self.layer = layer
        self.names = names
        order = stack.layers[layer]
        var blocks: [Block] = []
        for (position, index) in order.enumerated() {
            if let last = blocks.last, last.prefix == rules[index].prefix {
                blocks[blocks.count - 1].rules = last.rules.lowerBound..<position + 1
            } else {
                blocks.append(Block(prefix: rules[index].prefix, rules: position..<position + 1))
            }
        }
        self.blocks = blocks
    }

    // MARK: - Chains

    /// Adds the chain of the name for the blocks, and the chains below it.
    private mutating func add(_ name: ChainName, _ range: Range<Int>) {
        let position = chains.count
        chains.append(Chain(name))
        guard !isLeaf(range) else {
            chains[position].rules =
                range.count == 1 ? blockRules(range.lowerBound) : order(range).map { rules[$0].rule }
            return
        }
        let branch = branch(range)
        let own = branch.own.flatMap { order[blocks[$0].rules] }.sorted()
        let last = own.filter { stack.isLast[$0] }
        var list =
            hasFreeOrder
            ? branch.own.flatMap { blockRules($0) } : own.filter { !stack.isLast[$0] }.map { rules[$0].rule }
        for way in widened(branch.ways) {
            let inner = isLeaf(way.blocks) ? nil : self.branch(way.blocks)
            if inner == nil, way.blocks.count == 1, count(way.blocks) <= DispatchTree.inlineRules {
                list += order(way.blocks).map { rules[$0].rule }
                continue
            }
            // A leaf is named after the bits that lead to it, an inner chain after those that its blocks share: so it keeps
            // its name when another inner chain comes between.
            let prefix = inner?.prefix ?? way.slot
            let next = names.node(table, layer, prefix)
            let returns = last.contains { rules[$0].prefix.overlaps(prefix) }
            list.append(step(to: next, prefix, returns: returns))
            add(next, way.blocks)
        }
        chains[position].rules = list + last.map { rules[$0].rule }
    }

    /// The rules of one block; told apart by port where they are many and for marks, whose order is free.
    private mutating func blockRules(_ block: Int) -> [Rule] {
        let own = order[blocks[block].rules].map { rules[$0].rule }
        guard hasFreeOrder, own.count > DispatchTree.leafRules else { return own }
        let plan = PortTree.plan(own, blocks[block].prefix, &names)
        chains += plan.chains
        return plan.rules
    }

    private var hasFreeOrder: Bool { table == .mangle && !stack.isOrdered }

    /// The rule that sends the packets of the block into the chain, to come back if rules behind it are for them as well.
    private func step(to chain: ChainName, _ prefix: Prefix, returns: Bool) -> Rule {
        let target: Target = returns ? .jump(chain) : .goTo(chain)
        return switch table {
        case .mangle: Rule(destination: .of(prefix), target: target)
        case .nat: Rule(source: .of(prefix), target: target)
        }
    }

    // MARK: - Blocks

    private func count(_ range: Range<Int>) -> Int {
        blocks[range.upperBound - 1].rules.upperBound - blocks[range.lowerBound].rules.lowerBound
    }

    /// The blocks' rules in the plain order.
    private func order(_ range: Range<Int>) -> [Int] {
        order[blocks[range.lowerBound].rules.lowerBound..<blocks[range.upperBound - 1].rules.upperBound].sorted()
    }

    private func isLeaf(_ range: Range<Int>) -> Bool {
        range.count <= 1 || (range.count <= DispatchTree.leafBlocks && count(range) <= DispatchTree.leafRules)
    }

    /// How more than one block are told apart. Bits are taken in groups of `stride` counted from the first, whatever the
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
            let end = firstBlock(behind: slot, index..<range.upperBound)
            branch.ways.append(Way(slot: slot, blocks: index..<end))
            index = end
        }
        return branch
    }

    private func firstBlock(behind slot: Prefix, _ range: Range<Int>) -> Int {
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
