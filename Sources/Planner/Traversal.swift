package import ConfigurationFile
package import Rules

/// A packet's way through our chains of one table.
package struct Traversal: Sendable, Hashable {
    /// A rule that the packet met and fitted.
    package struct Step: Sendable, Hashable {
        /// The chain.
        package let chain: ChainName
        /// The rule's number in the chain, counted from 1 as iptables does.
        package let number: Int
        /// The rule. Its target says what happened, and its comment whose it is.
        package let rule: Rule
    }

    /// How the way through our chains ends.
    package enum End: Sendable, Hashable {
        /// The packet goes on behind our jump, in the hook's chain.
        case continues
        /// Its source is translated, and it meets no further rule of the table.
        case translated(SourceTranslation)
        /// It meets no further rule of the table.
        case accepted
        /// It is thrown away.
        case dropped
    }

    /// The rules that the packet fitted, in the order in which it met them.
    package internal(set) var steps: [Step] = []
    /// The packet's mark at the end.
    package internal(set) var mark: UInt32
    /// How it ended.
    package internal(set) var end = End.continues
    /// The rules that the packet would have fitted as well if it came in or left by the right interface, where the packet
    /// says nothing about that. The rest of the answer holds for any other interface.
    package internal(set) var undecided: [Step] = []
    /// How many rules the packet was compared with: what the table costs it.
    package internal(set) var rulesMet = 0
}

/// The answer to the question what becomes of packets under a ruleset, by the rules of x_tables (`ipt_do_table` in
/// `net/ipv4/netfilter/ip_tables.c`) and without any kernel.
///
/// A rule that sets a mark lets the packet go on; one that translates, accepts or drops ends the table. At the end of a chain,
/// and at RETURN, the packet goes on behind the last jump (`-j`); a goto (`-g`) leaves nothing behind to come back to.
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
    package func traversal(of packet: Packet, in table: Table) -> Traversal {
        var result = Traversal(mark: packet.mark)
        guard let network = networks[TableID(packet.destination.family, table)],
            var chain = network.chains.firstIndex(where: { $0.name == table.entryChain })
        else { return result }
        var index = 0
        var callers: [(chain: Int, index: Int)] = []
        func goBack() -> Bool {
            guard let caller = callers.popLast() else { return false }
            (chain, index) = (caller.chain, caller.index)
            return true
        }

        while true {
            guard index < network.chains[chain].rules.count else {
                if goBack() { continue }
                return result
            }
            let rule = network.chains[chain].rules[index]
            result.rulesMet += 1
            index += 1
            guard rule.matchesAnywhere(packet) else { continue }
            let step = Traversal.Step(chain: network.chains[chain].name, number: index, rule: rule)
            switch rule.matchesInterfaces(packet) {
            case nil: result.undecided.append(step)
            case false?: break
            case true?:
                result.steps.append(step)
                switch rule.target {
                case .mark(let mark): result.mark = mark.applied(to: result.mark)
                case .jump, .goTo:
                    guard let next = network.successors[chain][index - 1] else { break }
                    if case .jump = rule.target { callers.append((chain, index)) }
                    (chain, index) = (next, 0)
                case .returnToCaller:
                    if !goBack() { return result }
                case .masquerade, .sourceNAT, .accept, .drop:
                    result.end = rule.target.end
                    return result
                }
            }
        }
    }
}

extension Target {
    /// How a packet's traversal ends that meets this target.
    fileprivate var end: Traversal.End {
        switch self {
        case .masquerade: .translated(.masquerade)
        case .sourceNAT(let address): .translated(.address(address))
        case .accept: .accepted
        case .drop: .dropped
        case .mark, .jump, .goTo, .returnToCaller: .continues
        }
    }
}
