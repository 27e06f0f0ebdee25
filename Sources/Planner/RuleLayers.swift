import Rules

/// Rules sorted by block of addresses, in as many layers as the plain order needs to be kept.
///
/// In a tree the rules of a block stand either before or behind all that is said about smaller blocks inside of it. Where the
/// plain order has something about a smaller block before and something behind, the tree ends, and another begins.
struct RuleLayers {
    /// The rules of each layer, sorted by block and then by the plain order; numbers are places in the plain order.
    private(set) var layers: [[Int]]
    /// Of each rule whether it has to stand behind the rules for smaller blocks inside its own.
    private(set) var isLast: [Bool]
    /// Whether the plain order matters; only told where rules for one packet could come into another order.
    private(set) var isOrdered = false

    init(_ rules: [PlacedRule], isOrdered: () -> Bool) {
        let sorted = rules.indices.sorted { left, right in
            let (a, b) = (rules[left].prefix, rules[right].prefix)
            return a == b ? left < right : a < b
        }
        layers = [sorted]
        isLast = Array(repeating: false, count: rules.count)
        split(rules, sorted, isOrdered: isOrdered)
    }

    private mutating func split(_ rules: [PlacedRule], _ sorted: [Int], isOrdered: () -> Bool) {
        // The blocks as numbers, and of each the smallest other one that holds it.
        var blockOf = Array(repeating: 0, count: rules.count)
        var holder: [Int?] = []
        var enclosing: [(prefix: Prefix, block: Int)] = []
        var (crowd, largestCrowd) = (0, 0)
        for index in sorted {
            let prefix = rules[index].prefix
            if enclosing.last?.prefix != prefix {
                while let last = enclosing.last, !last.prefix.contains(prefix) { enclosing.removeLast() }
                holder.append(enclosing.last?.block)
                enclosing.append((prefix, holder.count - 1))
                crowd = 0
            }
            crowd += 1
            largestCrowd = max(crowd, largestCrowd)
            blockOf[index] = holder.count - 1
        }
        let isNested = holder.contains { $0 != nil }
        guard isNested || largestCrowd > DispatchTree.leafRules, isOrdered() else { return }
        self.isOrdered = true
        guard isNested else { return }

        // In which layer a block last had a rule inside of it, and one of its own behind such a rule.
        var filled = Array(repeating: -1, count: holder.count)
        var closed = Array(repeating: -1, count: holder.count)
        var layerOf = Array(repeating: 0, count: rules.count)
        var layer = 0
        func holders(of block: Int) -> some Sequence<Int> { sequence(first: block) { holder[$0] }.dropFirst() }
        for index in rules.indices {
            let block = blockOf[index]
            if holders(of: block).contains(where: { closed[$0] == layer }) { layer += 1 }
            layerOf[index] = layer
            isLast[index] = filled[block] == layer
            if isLast[index] { closed[block] = layer }
            for outer in holders(of: block) { filled[outer] = layer }
        }
        layers = Array(repeating: [], count: layer + 1)
        for index in sorted { layers[layerOf[index]].append(index) }
    }
}
