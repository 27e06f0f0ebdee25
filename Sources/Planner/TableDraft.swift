// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// One table while it is planned: first the rules in the plain order, hook by hook, then its chains.
struct TableDraft {
    let id: TableID
    let layout: Planner.Layout
    var parts: RuleParts
    var names = ChainNames()
    /// The rules of each of the table's entry chains (`Table.entries`) in the plain order.
    var entries: [[PlacedRule]]
    /// Chains that are made already, and of each rule the owner, or -1.
    private(set) var chains: [Chain] = []
    private(set) var owners: [[Int32]] = []
    /// The protocols and ports of a traffic, which most services share with the one before them.
    private var known: [TrafficPair: [NumberedTraffic]] = [:]
    private var last: (source: Traffic, destination: Traffic, traffic: [NumberedTraffic])?

    init(_ id: TableID, _ layout: Planner.Layout) {
        self.id = id
        self.layout = layout
        parts = RuleParts(id.table == .nat ? .source : .destination)
        entries = id.table.entries.map { _ in [] }
    }

    /// Whether nothing is wanted in the table.
    var isEmpty: Bool { chains.isEmpty && entries.allSatisfy(\.isEmpty) }

    /// Adds an empty chain.
    ///
    /// - Returns: its place, for `append` and `set`.
    mutating func open(_ name: ChainName) -> Int {
        chains.append(Chain(name))
        owners.append([])
        return chains.count - 1
    }

    /// Adds a rule to the chain at the place.
    mutating func append(_ rule: Rule, owner: Int32 = -1, to place: Int) {
        chains[place].rules.append(rule)
        owners[place].append(owner)
    }

    /// Makes the rules of the chain at the place.
    mutating func set(_ rules: OwnedRules, at place: Int) {
        chains[place].rules = rules.rules
        owners[place] = rules.owners
    }

    /// The protocols and ports that both sides mean, numbered.
    mutating func traffic(from source: Traffic, to destination: Traffic) -> [NumberedTraffic] {
        if let last, last.destination == destination, last.source == source { return last.traffic }
        let pair = TrafficPair(source: source, destination: destination)
        let traffic =
            known[pair]
            ?? ProtocolTraffic.all(from: source, to: destination, id.family).map { traffic in
                NumberedTraffic(
                    whole: parts.number(ofTraffic: traffic.whole), parts: traffic.parts.map { parts.number(ofTraffic: $0) })
            }
        known[pair] = traffic
        last = (source, destination, traffic)
        return traffic
    }

    /// Adds rules that ask for nothing but a prefix, protocols and ports, which is what most are.
    mutating func add(_ prefix: Prefix, _ traffic: [NumberedTraffic], _ target: Target, owner: Int, entry: Int) {
        let target = parts.number(ofTarget: target)
        for traffic in traffic {
            for part in traffic.parts {
                entries[entry].append(
                    PlacedRule(prefix: prefix, traffic: part, rest: 0, target: target, owner: Int32(truncatingIfNeeded: owner)))
            }
        }
    }

    /// Makes all chains: the entry chains before those below them.
    mutating func finish() {
        let own = (chains: chains, owners: owners)
        (chains, owners) = ([], [])
        for (number, (hook, entry)) in id.table.entries.enumerated() where !entries[number].isEmpty {
            let rules = entries[number]
            if id.table == .nat { layOutInOrder(rules, entry) } else { layOut(rules, entry, hook) }
        }
        chains += own.chains
        owners += own.owners
    }

    /// Gives each rule its owner's name as comment, unless there are many.
    mutating func comment(_ names: Owners) {
        guard owners.reduce(0, { $0 + $1.count }) <= layout.commentLimit else { return }
        for (place, owners) in owners.enumerated() {
            for (index, owner) in owners.enumerated() where owner >= 0 { chains[place].rules[index].comment = names.name(owner) }
        }
    }
}

/// `ProtocolTraffic` by its numbers in `RuleParts`.
struct NumberedTraffic {
    let whole: Int32
    let parts: [Int32]
}

/// Protocols and ports of both sides.
private struct TrafficPair: Hashable {
    let source: Traffic
    let destination: Traffic
}

/// Rules of a chain, each with its owner, or -1.
struct OwnedRules {
    private(set) var rules: [Rule] = []
    private(set) var owners: [Int32] = []

    init(capacity: Int = 0) {
        rules.reserveCapacity(capacity)
        owners.reserveCapacity(capacity)
    }

    mutating func append(_ rule: Rule, owner: Int32 = -1) {
        rules.append(rule)
        owners.append(owner)
    }

    static func += (left: inout OwnedRules, right: OwnedRules) {
        left.rules += right.rules
        left.owners += right.owners
    }
}
