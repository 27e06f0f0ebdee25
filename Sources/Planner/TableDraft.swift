import ConfigurationFile
import Rules

/// One table while it is planned: first the rules in the plain order, hook by hook, then its chains.
struct TableDraft {
    let id: TableID
    let layout: Planner.Layout
    var parts: RuleParts
    var names = ChainNames()
    /// The rules of each entry chain in the plain order.
    var entries: [ChainName: [PlacedRule]] = [:]
    /// Chains that are made already, and of each rule the owner, or -1.
    private(set) var chains: [Chain] = []
    private(set) var owners: [[Int32]] = []
    /// The protocols and ports of a traffic, which most services share with the one before them.
    private var known: [TrafficPair: [NumberedTraffic]] = [:]
    private var last: (pair: TrafficPair, traffic: [NumberedTraffic])?

    init(_ id: TableID, _ layout: Planner.Layout) {
        self.id = id
        self.layout = layout
        parts = RuleParts(id.table == .nat ? .source : .destination)
    }

    /// Whether nothing is wanted in the table.
    var isEmpty: Bool { entries.isEmpty && chains.isEmpty }

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
    mutating func set(_ rules: RuleList, at place: Int) {
        chains[place].rules = rules.rules
        owners[place] = rules.owners
    }

    /// The protocols and ports that both sides mean, numbered.
    mutating func traffic(from source: Traffic, to destination: Traffic) -> [NumberedTraffic] {
        let pair = TrafficPair(source: source, destination: destination)
        if let last, last.pair == pair { return last.traffic }
        let traffic =
            known[pair]
            ?? ProtocolTraffic.all(from: source, to: destination, id.family).map { traffic in
                NumberedTraffic(
                    whole: parts.number(ofTraffic: traffic.whole), parts: traffic.parts.map { parts.number(ofTraffic: $0) })
            }
        known[pair] = traffic
        last = (pair, traffic)
        return traffic
    }

    /// Makes all chains: the entry chains before those below them.
    mutating func finish(_ services: [Service], _ masquerades: [Masquerade]) {
        let own = (chains: chains, owners: owners)
        (chains, owners) = ([], [])
        for (hook, entry) in id.table.entries {
            guard let rules = entries[entry] else { continue }
            if id.table == .nat { layOutInOrder(rules, entry) } else { layOut(rules, entry, hook) }
        }
        chains += own.chains
        owners += own.owners
        if owners.reduce(0, { $0 + $1.count }) <= layout.commentLimit { comment(services, masquerades) }
    }

    /// Gives each rule its owner's name as comment.
    private mutating func comment(_ services: [Service], _ masquerades: [Masquerade]) {
        for (place, owners) in owners.enumerated() {
            for (index, owner) in owners.enumerated() where owner >= 0 {
                let owner = Int(owner)
                chains[place].rules[index].comment =
                    owner < services.count ? services[owner].name : masquerades[owner - services.count].name
            }
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
struct RuleList {
    private(set) var rules: [Rule] = []
    private(set) var owners: [Int32] = []

    var count: Int { rules.count }

    mutating func append(_ rule: Rule, owner: Int32 = -1) {
        rules.append(rule)
        owners.append(owner)
    }

    static func += (left: inout RuleList, right: RuleList) {
        left.rules += right.rules
        left.owners += right.owners
    }
}
