import Rules

/// What becomes of a packet in one base chain, as far as what is known of it and of the rules decides.
struct PacketWalk {
    /// How the packet leaves.
    enum End: Hashable {
        /// It goes on, or nothing says that it does not.
        case passes
        /// It is dropped whatever the unknown parts are.
        case drops(Place)
    }

    /// Who drops it.
    struct Place: Hashable {
        /// The chain's number.
        var chain: Int
        /// The rule's number; nil: the policy.
        var rule: Int?
    }

    /// How many rules may be asked before the answer counts as unknown.
    static let maximumSteps = 200_000

    /// How the packet leaves the table, entered at a base chain.
    static func end(of packet: Packet, in table: FirewallTable, from start: Int) -> (end: End, packet: Packet, steps: Int) {
        var packet = packet
        var stack: [(chain: Int, rule: Int)] = [(start, 0)]
        var mayPass = false
        var steps = 0
        while var (chain, index) = stack.popLast() {
            var leaves = false
            while index < table.chains[chain].rules.count, !leaves {
                steps += 1
                if steps > maximumSteps { return (.passes, packet, steps) }
                let rule = table.chains[chain].rules[index].rule
                let matches = rule.match.matches(packet)
                index += 1
                guard matches != false else { continue }
                switch rule.target {
                case .jump(let name), .goTo(let name):
                    guard let next = table.number(name) else { continue }
                    if matches == nil {
                        mayPass = mayPass || mayAccept(next, in: table, &steps)
                        continue
                    }
                    if case .jump = rule.target { stack.append((chain, index)) }
                    (chain, index) = (next, 0)
                case .returnToCaller: if matches == true { leaves = true }
                case .mark(let operation):
                    packet.mark = matches == true ? packet.mark.map(operation.applied) : nil
                case .connectionMark(.restore): packet.mark = nil
                default:
                    switch rule.target.effect {
                    case .accept, .translate:
                        if matches == true { return (.passes, packet, steps) }
                        mayPass = true
                    case .drop where matches == true:
                        let place = Place(chain: chain, rule: index - 1)
                        return (mayPass ? .passes : .drops(place), packet, steps)
                    default: break
                    }
                }
            }
        }
        let drops = table.chains[start].base?.dropsAtEnd == true && !mayPass
        return (drops ? .drops(Place(chain: start, rule: nil)) : .passes, packet, steps)
    }

    /// Whether some rule of the chain, or of one that it leads to, lets packets pass.
    private static func mayAccept(_ chain: Int, in table: FirewallTable, _ steps: inout Int) -> Bool {
        var seen: Set<Int> = [chain]
        var rest = [chain]
        while let next = rest.popLast() {
            for rule in table.chains[next].rules {
                steps += 1
                if rule.rule.target.effect == .accept { return true }
                if let name = rule.rule.target.chain, let number = table.number(name), seen.insert(number).inserted {
                    rest.append(number)
                }
            }
        }
        return false
    }
}
