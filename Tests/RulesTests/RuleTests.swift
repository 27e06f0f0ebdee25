import Rules
import Testing

@Suite("Rules")
struct RuleTests {
    @Test("A rule is shown in iptables syntax", arguments: RuleTests.shown)
    func syntax(_ text: String, _ rule: Rule) {
        #expect(rule.iptablesSyntax == text)
    }

    private static let shown: [(String, Rule)] = {
        func address(_ text: String) -> AddressMatch? { try? AddressMatch(parsing: text) }
        func interface(_ text: String) -> InterfacePattern? { try? InterfacePattern(parsing: text) }
        let mark = (try? Mark(21)).map { Target.mark($0) } ?? .drop
        return [
            ("-j MARK --set-xmark 0x15/0xffffffff", Rule(target: mark)),
            (
                "-d 203.0.113.10/32 -p tcp -m tcp --dport 10000:20000 -m comment --comment ftp -j MARK --set-xmark 0x15/0xffffffff",
                Rule(
                    destination: address("203.0.113.10"), transport: TransportMatch(.tcp, .destination(PortRange(10000, 20000))),
                    comment: "ftp",
                    target: mark)
            ),
            (
                "-s 10.11.12.0/24 ! -d 10.0.0.0/8 -i eth+ -o eth0 -p udp -m udp --sport 20 -j MASQUERADE",
                Rule(
                    source: address("10.11.12.0/24"), destination: address("!10.0.0.0/8"), inInterface: interface("eth+"),
                    outInterface: interface("eth0"), transport: TransportMatch(.udp, .source(PortRange(20))), target: .masquerade)
            ),
            (
                "-p sctp -m multiport --dports 80,1000:2000 -j ACCEPT",
                Rule(transport: TransportMatch(.sctp, .destinations([PortRange(80), PortRange(1000, 2000)])), target: .accept)
            ),
            (
                "-p tcp -m multiport --sports 20,21 -j DROP",
                Rule(transport: TransportMatch(.tcp, .sources([PortRange(20), PortRange(21)])), target: .drop)
            ),
            ("-p tcp -j RETURN", Rule(transport: TransportMatch(.tcp, .any), target: .returnToCaller)),
            ("-j SNAT --to-source 2001:db8::1", Rule(target: .sourceNAT(Address(ipv6: 0x2001_0db8 << 96 | 1)))),
            (
                "-m comment --comment \"a \\\"b\\\" \\\\ \\'c\\'\" -j FWMARKD-MARK",
                Rule(comment: "a \"b\" \\ 'c'", target: .jump(.mark))
            ),
            ("-m comment --comment \"\" -g FWMARKD-NAT", Rule(comment: "", target: .goTo(.nat))),
            ("-j ACCEPT", Rule(source: address("0.0.0.0/0"), target: .accept)),
        ]
    }()

    @Test(
        "A match of ports fits the packets of its protocol on its side",
        arguments: [
            (TransportMatch.Ports.any, true), (.source(PortRange(20)), true), (.source(PortRange(21)), false),
            (.destination(PortRange(1000, 1024)), true),
            (.destination(PortRange(20)), false), (.sources([PortRange(1), PortRange(20)]), true),
            (.destinations([PortRange(1), PortRange(20)]), false),
        ])
    func ports(_ ports: TransportMatch.Ports, _ expected: Bool) {
        let match = TransportMatch(.tcp, ports)
        #expect(match.matches(.tcp, source: 20, destination: 1024) == expected)
        #expect(!match.matches(.udp, source: 20, destination: 1024))
        #expect(!match.matches(nil, source: 20, destination: 1024))
    }

    @Test("A port takes one slot of a multiport match, a range two")
    func slots() {
        #expect(TransportMatch.slots(of: PortRange(20)) == 1)
        #expect(TransportMatch.slots(of: PortRange(20, 21)) == 2)
    }

    @Test("Only jumps lead to a chain")
    func targets() {
        #expect(Target.jump(.mark).chain == .mark)
        #expect(Target.goTo(.nat).chain == .nat)
        #expect([Target.accept, .drop, .returnToCaller, .masquerade].allSatisfy { $0.chain == nil })
    }

    @Test("The jumps into our chains bear our name, and do not count as rules")
    func ruleset() {
        #expect(Ruleset.jump(into: .nat).iptablesSyntax == "-m comment --comment fwmarkd -j FWMARKD-NAT")
        let ruleset = Ruleset(tables: [TableID(.ipv4, .nat): [Chain(.nat, [Rule(target: .masquerade)]), Chain(.mark)]])
        #expect(ruleset.ruleCount == 1)
    }
}
