import ConfigurationFile
import Planner
import Rules
import Testing

@Suite("What becomes of a packet, by the rules of x_tables")
struct ExplainerTests {
    /// Rulesets in which a packet to 192.0.2.1, TCP port 80, ends with a mark; each mark is a bit, so that it says which rules
    /// it fitted. A chain is its name, a colon and its rules: `mark N`, `jump C`, `goto C`, `return`, `accept`, `drop`.
    @Test(
        "Jump, goto and return lead where they lead in the kernel",
        arguments: [
            ("MARK: mark 1, mark 2", 0b11, "MARK 1, MARK 2"),
            ("MARK: jump A, mark 1 | A: mark 2", 0b11, "MARK 1, A 1, MARK 2"),
            ("MARK: goto A, mark 1 | A: mark 2", 0b10, "MARK 1, A 1"),
            ("MARK: jump A, mark 1 | A: goto B, mark 2 | B: mark 4", 0b101, "MARK 1, A 1, B 1, MARK 2"),
            ("MARK: jump A, mark 1 | A: jump B, mark 2 | B: mark 4, return, mark 8", 0b111, "MARK 1, A 1, B 1, B 2, A 2, MARK 2"),
            ("MARK: jump A, mark 1 | A: goto B, mark 2 | B: return, mark 4", 0b1, "MARK 1, A 1, B 1, MARK 2"),
            ("MARK: goto A, mark 1 | A: jump B, mark 2 | B: mark 4", 0b110, "MARK 1, A 1, B 1, A 2"),
            ("MARK: return, mark 1", 0, "MARK 1"),
            ("MARK: jump A, mark 1 | A: accept, mark 2", 0, "MARK 1, A 1"),
            ("MARK: jump A, jump A, mark 1 | A: mark 2, drop", 0b10, "MARK 1, A 1, A 2"),
            ("MARK: jump A, jump A, mark 1 | A:", 0b1, "MARK 1, MARK 2, MARK 3"),
            ("A: mark 1 | MARK: jump A", 0b1, "MARK 1, A 1"),
        ])
    func control(_ text: String, _ mark: UInt32, _ trail: String) throws {
        let chains = try text.split(separator: "|").map { part in
            let halves = part.split(separator: ":", omittingEmptySubsequences: false)
            let name = halves[0].filter { $0 != " " }
            return Chain(chain(name), try halves[1].split(separator: ",").map(rule))
        }
        let packet = Packet(
            .tcp, source: try Address(parsing: "198.51.100.1"), destination: try Address(parsing: "192.0.2.1"), destinationPort: 80)
        let explainer = Explainer(Ruleset(tables: [TableID(.ipv4, .mangle): chains]))
        let traversal = explainer.traversal(of: packet, in: .mangle)
        #expect(traversal.mark == mark)
        let steps = traversal.steps.map { "\($0.chain.text.dropFirst(ChainName.ownPrefix.count)) \($0.number)" }
        #expect(steps.joined(separator: ", ") == trail)
        #expect(traversal.end == (text.contains("accept") ? .accepted : text.contains("drop") ? .dropped : .continues))
        #expect(explainer.traversal(of: packet, in: .nat) == Traversal.untouched(mark: 0))
    }

    private func chain(_ name: some StringProtocol) -> ChainName { ChainName(fromKernel: ChainName.ownPrefix + name) }

    private func rule(_ text: Substring) throws -> Rule {
        let words = text.split(separator: " ")
        switch words[0] {
        case "mark": return Rule(target: .mark(try Mark(parsing: "\(words[1])/\(words[1])")))
        case "jump": return Rule(target: .jump(chain(words[1])))
        case "goto": return Rule(target: .goTo(chain(words[1])))
        case "return": return Rule(target: .returnToCaller)
        case "accept": return Rule(target: .accept)
        default: return Rule(target: .drop)
        }
    }

    @Test("The first translation that fits ends the table, and a mark leaves the bits outside its mask")
    func targets() throws {
        let vip = try Address(parsing: "203.0.113.10")
        let server = AddressMatch(try Prefix(parsing: "10.11.12.0/24"))
        let ruleset = Ruleset(tables: [
            TableID(.ipv4, .nat): [
                Chain(
                    .nat,
                    [
                        Rule(source: server, transport: TransportMatch(.tcp, .source(PortRange(20))), target: .sourceNAT(vip)),
                        Rule(source: server, target: .masquerade), Rule(target: .drop),
                    ])
            ],
            TableID(.ipv4, .mangle): [
                Chain(.mark, [Rule(target: .mark(try Mark(0x1200, mask: 0xff00))), Rule(target: .mark(try Mark(4, mask: 0xf)))])
            ],
        ])
        let explainer = Explainer(ruleset)
        var packet = Packet(
            .tcp, source: try Address(parsing: "10.11.12.9"), sourcePort: 20, destination: try Address(parsing: "198.51.100.1"),
            destinationPort: 40000, mark: 0xabcd_efff)
        #expect(explainer.traversal(of: packet, in: .nat).end == .translated(.address(vip)))
        #expect(explainer.traversal(of: packet, in: .mangle).mark == 0xabcd_12f4)
        packet.sourcePort = 21
        #expect(explainer.traversal(of: packet, in: .nat).end == .translated(.masquerade))
        #expect(explainer.traversal(of: packet, in: .nat).rulesMet == 2)
        packet.source = try Address(parsing: "10.11.13.9")
        #expect(explainer.traversal(of: packet, in: .nat).end == .dropped)
        packet.source = try Address(parsing: "2001:db8::1")
        packet.destination = try Address(parsing: "2001:db8::2")
        #expect(explainer.traversal(of: packet, in: .nat).end == .continues)
    }

    @Test(
        "A rule that asks for an interface is undecided as long as the packet's is not known",
        arguments: [(nil, 0, 1), ("eth1", 1, 0), ("eth10", 0, 0), ("wan7", 1, 0), ("lo", 0, 0)] as [(String?, Int, Int)])
    func interfaces(_ interface: String?, _ fitting: Int, _ undecided: Int) throws {
        let pattern = try InterfacePattern(parsing: interface?.hasPrefix("wan") == true ? "wan+" : "eth1")
        for table in Table.allCases {
            let rule =
                table == .nat
                ? Rule(outInterface: pattern, target: .masquerade) : Rule(inInterface: pattern, target: .mark(try Mark(1)))
            let explainer = Explainer(Ruleset(tables: [TableID(.ipv6, table): [Chain(table.entryChain, [rule])]]))
            let address = try Address(parsing: "2001:db8::1")
            let traversal = explainer.traversal(
                of: Packet(nil, source: address, destination: address, inInterface: interface, outInterface: interface), in: table)
            #expect(traversal.steps.count == fitting)
            #expect(traversal.undecided.count == undecided)
        }
    }
}

extension Traversal {
    /// What there is to say where no rule is.
    static func untouched(mark: UInt32) -> Traversal {
        Explainer(Ruleset()).traversal(
            of: Packet(nil, source: Address(ipv4: 0), destination: Address(ipv4: 0), mark: mark), in: .mangle)
    }
}
