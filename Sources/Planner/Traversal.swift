package import Rules

/// A packet's way through our chains of one table and hook.
package struct Traversal: Sendable, Hashable {
    /// A rule that the packet met and matched.
    package struct Step: Sendable, Hashable {
        /// The chain.
        package let chain: ChainName
        /// The rule's number in the chain, counted from 1 as iptables does.
        package let number: Int
        /// The rule.
        package let rule: Rule
    }

    /// How the way through our chains ends.
    package enum End: Sendable, Hashable {
        /// The packet goes on after our jump, in the hook's chain.
        case continues
        /// Its source is translated, and it meets no further rule of the table.
        case translated(Target)
        /// It meets no further rule of the table.
        case accepted
        /// It is dropped.
        case dropped
    }

    /// The rules that the packet matched, in the order in which it met them.
    package internal(set) var steps: [Step] = []
    /// The packet at the end, with its mark and its connection's.
    package internal(set) var packet: Packet
    /// The packet's mark at the end.
    package var mark: UInt32 { packet.mark ?? 0 }
    /// How it ended.
    package internal(set) var end = End.continues
    /// The rules of which it is not known whether the packet matches them. The rest of the answer holds if it does not.
    package internal(set) var undecided: [Step] = []
    /// How many rules the packet was compared with: what the table costs it.
    package internal(set) var rulesMet = 0
}

/// The answer to the question what becomes of packets under a ruleset, by the rules of x_tables (`ipt_do_table` in
/// `net/ipv4/netfilter/ip_tables.c`) and without any kernel.
///
/// A rule that sets a mark lets the packet go on; one that translates, accepts or drops ends the table. At the end of a chain,
/// and at RETURN, the packet goes on after the last jump (`-j`); a goto (`-g`) leaves nothing to come back to.
package struct Explainer: Sendable {
    /// A table's chains, and for each of their rules the index of the chain that it leads to, or nil.
    private struct Network {
        var chains: [Chain]
        var successors: [[Int?]]
    }

    private let networks: [TableID: Network]

    /// An explainer of the ruleset.
    ///
    /// Chains must not lead in a circle; the kernel refuses a table in which they do. A chain that is not there is taken
    /// for an empty one.
    package init(_ ruleset: Ruleset) {
        networks = ruleset.tables.mapValues { chains in
            let indices = Dictionary(zip(chains.map(\.name), chains.indices), uniquingKeysWith: { first, _ in first })
            let successors = chains.map { chain in chain.rules.map { rule in rule.target.chain.flatMap { indices[$0] } } }
            return Network(chains: chains, successors: successors)
        }
    }

    /// The packet's way through our chains of the table, from the jump in the hook to where they leave it.
    package func traversal(of packet: Packet, in table: Table, at hook: Hook? = nil) -> Traversal {
        var result = Traversal(packet: packet)
        let entry = table.entries.first { hook == nil || $0.hook == hook }?.chain
        guard let network = networks[TableID(packet.destination.family, table)],
            var chain = network.chains.firstIndex(where: { $0.name == entry })
        else { return result }
        var index = 0
        var callers: [(chain: Int, index: Int)] = []

        while true {
            guard index < network.chains[chain].rules.count else {
                guard let caller = callers.popLast() else { return result }
                (chain, index) = caller
                continue
            }
            let rule = network.chains[chain].rules[index]
            result.rulesMet += 1
            index += 1
            let matches = rule.match.matches(result.packet)
            guard matches != false else { continue }
            let step = Traversal.Step(chain: network.chains[chain].name, number: index, rule: rule)
            guard matches == true else {
                result.undecided.append(step)
                continue
            }
            result.steps.append(step)
            switch rule.target {
            case .jump, .goTo:
                guard let next = network.successors[chain][index - 1] else { break }
                if case .jump = rule.target { callers.append((chain, index)) }
                (chain, index) = (next, 0)
            case .returnToCaller:
                guard let caller = callers.popLast() else { return result }
                (chain, index) = caller
            case .masquerade, .sourceNAT, .accept, .drop:
                result.end = rule.target.end
                return result
            case .mark, .connectionMark, .helper, .none, .queue, .other: rule.target.apply(to: &result.packet)
            }
        }
    }
}

extension Target {
    /// How a packet's traversal ends that meets this target.
    fileprivate var end: Traversal.End {
        switch self {
        case .masquerade, .sourceNAT: .translated(self)
        case .accept: .accepted
        case .drop: .dropped
        default: .continues
        }
    }

    /// Changes the packet's mark and its connection's.
    fileprivate func apply(to packet: inout Packet) {
        switch self {
        case .mark(let operation): packet.mark = packet.mark.map(operation.applied)
        case .connectionMark(.set(let value, let mask)): packet.connectionMark = packet.connectionMark.map { $0 & ~mask ^ value }
        case .connectionMark(.save(let mask, let packetMask)):
            guard let connection = packet.connectionMark, let mark = packet.mark else { break }
            packet.connectionMark = connection & ~mask ^ mark & packetMask
        case .connectionMark(.restore(let mask, let packetMask)):
            guard let connection = packet.connectionMark, let mark = packet.mark else { break }
            packet.mark = mark & ~packetMask ^ connection & mask
        default: break
        }
    }
}
