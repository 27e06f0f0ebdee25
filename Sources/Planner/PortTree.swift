import Rules

/// The rules for one block of addresses that many services share, told apart by destination port.
///
/// As with addresses, a chain tells a few bits of the port apart. A range stands in the chain from which on its ports go
/// different ways, so that each stands once; a rule with several ranges becomes one for each, of which a packet fits one at
/// most. Marks alone are told apart like this, where their order is free.
struct PortTree {
    /// How many bits of a port a chain tells apart.
    private static let stride = 2
    /// The most rules in a leaf.
    private static let leafRules = 4

    /// A range of ports, and the rule that is for it.
    private struct Item {
        let range: PortRange
        let rule: Rule

        /// The rule for this range alone.
        var piece: Rule {
            let ports: TransportMatch.Ports = range == .all ? .any : .destination(range)
            return rule.with(\.transport, rule.transport.map { TransportMatch($0.transport, ports) })
        }
    }

    /// The ports that share their first `length` bits with `first`.
    private struct Slot: Equatable {
        let first: UInt16
        let length: Int

        var range: PortRange { PortRange(first, first | UInt16(truncatingIfNeeded: 0xffff >> length)) }

        /// The part of the slot that holds the whole range; nil if no part does.
        func part(of range: PortRange) -> Slot? {
            let mask = UInt16(truncatingIfNeeded: 0xffff_0000 >> (length + PortTree.stride))
            guard length < 16, range.lower & mask == range.upper & mask else { return nil }
            return Slot(first: range.lower & mask, length: length + PortTree.stride)
        }
    }

    private let prefix: Prefix
    private let transport: TransportProtocol
    private var names: ChainNames
    private var chains: [Chain] = []

    /// Rules that mark the same packets as `rules`, all of which are for the block and for one protocol or another, and the
    /// chains they lead to.
    static func plan(
        _ rules: [Rule], _ prefix: Prefix, _ names: inout ChainNames
    ) -> (rules: [Rule], chains: [Chain]) {
        var plan: (rules: [Rule], chains: [Chain]) = ([], [])
        for transport in TransportProtocol.allCases {
            let ours = rules.filter { $0.transport?.transport == transport }
            guard ours.count > leafRules else {
                plan.rules += ours
                continue
            }
            let items = ours.flatMap { rule in rule.destinationPorts.map { Item(range: $0, rule: rule) } }
            var tree = PortTree(prefix: prefix, transport: transport, names: names)
            let root = tree.add(Slot(first: 0, length: 0), items)
            plan.rules.append(Rule(destination: .of(prefix), transport: TransportMatch(transport, .any), target: .jump(root)))
            plan.chains += tree.chains
            names = tree.names
        }
        return plan
    }

    private init(prefix: Prefix, transport: TransportProtocol, names: ChainNames) {
        self.prefix = prefix
        self.transport = transport
        self.names = names
    }

    /// Adds the chain for the items, which are all within the slot, and the chains below it.
    private mutating func add(_ slot: Slot, _ items: [Item]) -> ChainName {
        let name = names.ports(prefix, transport, slot.first, slot.length)
        let position = chains.count
        chains.append(Chain(name))
        var rules: [Rule] = []
        var ways: [UInt16: [Item]] = [:]
        for item in items {
            if items.count > PortTree.leafRules, let part = slot.part(of: item.range) {
                ways[part.first, default: []].append(item)
            } else {
                rules.append(item.piece)
            }
        }
        for (first, inside) in ways.sorted(by: { $0.key < $1.key }) {
            guard inside.count > 1 else {
                rules += inside.map(\.piece)
                continue
            }
            var part = Slot(first: first, length: slot.length + PortTree.stride)
            if inside.count > PortTree.leafRules { part = PortTree.narrowest(part, inside) }
            let next = add(part, inside)
            rules.append(Rule(transport: TransportMatch(transport, .destination(part.range)), target: .goTo(next)))
        }
        chains[position].rules = rules
        return name
    }

    /// The smallest slot that holds all of the items.
    private static func narrowest(_ slot: Slot, _ items: [Item]) -> Slot {
        var slot = slot
        while let part = slot.part(of: items[0].range), items.allSatisfy({ slot.part(of: $0.range) == part }) { slot = part }
        return slot
    }
}

extension Rule {
    /// The ranges of destination ports that the rule asks for, at least one.
    fileprivate var destinationPorts: [PortRange] {
        switch transport?.ports {
        case .destination(let range): [range]
        case .destinations(let ranges): ranges
        case .source, .sources, .any, nil: [.all]
        }
    }
}
