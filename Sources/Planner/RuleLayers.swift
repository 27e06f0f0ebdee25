// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Rules sorted by prefix, in as many layers as the plain order needs to be kept.
///
/// In a tree the rules of a prefix are either before or after all that is said about smaller prefixes inside it. Where the
/// plain order has something about a smaller one before and something after, the tree ends, and another begins:
///
///     1  10.0.0.0/8 to 192.0.2.1      layer 0: before what is inside it
///     2  10.1.0.0/16                  layer 0
///     3  10.0.0.0/8 to 192.0.2.2      layer 0: after what is inside it, `isLast`
///     4  10.2.0.0/16                  layer 1: in layer 0 it would come before rule 3
///     5  11.0.0.0/8                   layer 1: whatever comes later is in the last layer or a new one
struct RuleLayers {
    /// The rules of each layer, sorted by prefix and then by the plain order; numbers are places in the plain order.
    private(set) var layers: [[Int]]
    /// Of each rule whether it has to come after the rules for smaller prefixes inside its own.
    private(set) var isLast: [Bool]

    init(_ rules: [PlacedRule]) {
        let sorted = DispatchTree.sorted(rules, Array(rules.indices))
        layers = [sorted]
        isLast = Array(repeating: false, count: rules.count)
        split(rules, sorted)
    }

    private mutating func split(_ rules: [PlacedRule], _ sorted: [Int]) {
        // The prefixes as numbers, and of each the smallest other one that contains it, or -1.
        var blockOf = Array(repeating: 0, count: rules.count)
        var holder: [Int] = []
        var enclosing: [(prefix: Prefix, block: Int)] = []
        var isNested = false
        for index in sorted {
            let prefix = rules[index].prefix
            if enclosing.last?.prefix != prefix {
                while let last = enclosing.last, !last.prefix.contains(prefix) { enclosing.removeLast() }
                holder.append(enclosing.last?.block ?? -1)
                if !enclosing.isEmpty { isNested = true }
                enclosing.append((prefix, holder.count - 1))
            }
            blockOf[index] = holder.count - 1
        }
        guard isNested else { return }

        // In which layer a prefix last had a rule inside it, and one of its own after such a rule.
        var filled = Array(repeating: -1, count: holder.count)
        var closed = Array(repeating: -1, count: holder.count)
        var layerOf = Array(repeating: 0, count: rules.count)
        var layer = 0
        for index in rules.indices {
            let block = blockOf[index]
            var outer = holder[block]
            while outer >= 0, closed[outer] != layer { outer = holder[outer] }
            if outer >= 0 { layer += 1 }
            layerOf[index] = layer
            isLast[index] = filled[block] == layer
            if isLast[index] { closed[block] = layer }
            // What contains a filled prefix is filled as well.
            outer = holder[block]
            while outer >= 0, filled[outer] != layer {
                filled[outer] = layer
                outer = holder[outer]
            }
        }
        layers = Array(repeating: [], count: layer + 1)
        for index in sorted { layers[layerOf[index]].append(index) }
    }
}
