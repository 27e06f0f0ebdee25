// SPDX-License-Identifier: GPL-2.0-or-later
import Rules
import Testing

@testable import Planner

@Suite("Layers of rules")
struct RuleLayersTests {
    @Test("The example at the head of RuleLayers: a smaller prefix between two rules, and one after them")
    func example() throws {
        let prefixes = ["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8", "10.2.0.0/16", "11.0.0.0/8"]
        let rules = try prefixes.enumerated().map { number, prefix in
            PlacedRule(
                prefix: try Prefix(parsing: prefix), traffic: 0, rest: 0, target: Int32(number), owner: Int32(number))
        }
        let layers = RuleLayers(rules)
        #expect(layers.layers.map { $0.sorted() } == [[0, 1, 2], [3, 4]])
        #expect(layers.isLast == [false, false, true, false, false])
    }
}
