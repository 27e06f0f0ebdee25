// SPDX-License-Identifier: GPL-2.0-or-later
import Rules
import Testing

@Suite("Rules")
struct RuleTests {
    @Test("A rule is shown in iptables syntax", arguments: RuleTests.shown)
    func syntax(_ text: String, _ rule: Rule) {
        #expect(rule.iptablesSyntax == text)
    }

    private static func address(_ text: String) -> AddressMatch? { try? AddressMatch(parsing: text) }

    private static func interface(_ text: String, isInverted: Bool = false) -> InterfaceMatch? {
        (try? InterfacePattern(parsing: text)).map { InterfaceMatch($0, isInverted: isInverted) }
    }

    private static let mark = Target.mark(MarkOperation(value: 21, mask: .max))

    private static let shown: [(String, Rule)] = [
        ("-j MARK --set-xmark 0x15/0xffffffff", Rule(target: mark)),
        (
            "-d 203.0.113.10/32 -p tcp -m tcp --dport 10000:20000 -m comment --comment ftp -j MARK --set-xmark 0x15/0xffffffff",
            Rule(
                RuleMatch(
                    destination: address("203.0.113.10"), transport: ProtocolMatch(.tcp),
                    conditions: [.ports(PortMatch(.destination, [PortRange(10000, 20000)]))]),
                comment: "ftp", target: mark)
        ),
        (
            "-s 10.11.12.0/24 ! -d 10.0.0.0/8 -i eth+ ! -o eth0 -p udp -m udp --sport 20 -j MASQUERADE --random-fully",
            Rule(
                RuleMatch(
                    source: address("10.11.12.0/24"), destination: address("!10.0.0.0/8"), inInterface: interface("eth+"),
                    outInterface: interface("eth0", isInverted: true), transport: ProtocolMatch(.udp),
                    conditions: [.ports(PortMatch(.source, [PortRange(20)]))]),
                target: .masquerade(TranslationOptions(isFullyRandom: true)))
        ),
        (
            "-p sctp -m multiport ! --dports 80,1000:2000 -j ACCEPT",
            Rule(
                RuleMatch(
                    transport: ProtocolMatch(.sctp),
                    conditions: [.ports(PortMatch(.destination, [PortRange(80), PortRange(1000, 2000)], isInverted: true))]),
                target: .accept)
        ),
        (
            "! -p esp -f -m mark ! --mark 0x40/0xff -m connmark --mark 0x15 -m mac ! --mac-source 02:00:5e:10:00:02 -j DROP",
            Rule(
                RuleMatch(
                    transport: ProtocolMatch(50, isInverted: true), isFurtherFragment: true,
                    conditions: [
                        .mark(MarkMatch(value: 0x40, mask: 0xff, isInverted: true)), .connectionMark(MarkMatch(value: 21)),
                        .mac(MACAddress(bits: 0x0200_5e10_0002), isInverted: true),
                    ]),
                target: .drop)
        ),
        (
            "-m conntrack --ctstate RELATED,ESTABLISHED",
            Rule(RuleMatch(conditions: [.connectionState([.related, .established], isInverted: false)]), target: .none)
        ),
        ("-p 47 -j RETURN", Rule(RuleMatch(transport: ProtocolMatch(47)), target: .returnToCaller)),
        ("-j SNAT --to-source 2001:db8::1", Rule(target: .sourceNAT(SourceRange(Address(ipv6: 0x2001_0db8 << 96 | 1))))),
        (
            "-j SNAT --to-source 192.0.2.1-192.0.2.3",
            Rule(target: .sourceNAT(SourceRange(Address(ipv4: 0xc000_0201), Address(ipv4: 0xc000_0203))))
        ),
        (
            "-m comment --comment \"a \\\"b\\\" \\\\ \\'c\\'\" -j fwmarkd-mark",
            Rule(comment: "a \"b\" \\ 'c'", target: .jump(.mark))
        ),
        ("-m comment --comment \"\" -g fwmarkd-nat", Rule(comment: "", target: .goTo(.nat))),
        ("-j CT --helper ftp", Rule(target: .helper("ftp"))),
        (
            "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff",
            Rule(target: .connectionMark(.save(connectionMask: 0xff, packetMask: 0xff)))
        ),
        ("-j ACCEPT", Rule(RuleMatch(source: address("0.0.0.0/0")), target: .accept)),
    ]

    @Test(
        "Ports match on their side, and inverted everywhere else",
        arguments: [
            (PortMatch(.source, [PortRange(20)]), true), (PortMatch(.source, [PortRange(21)]), false),
            (PortMatch(.destination, [PortRange(1000, 1024)]), true), (PortMatch(.destination, [PortRange(20)]), false),
            (PortMatch(.source, [PortRange(1), PortRange(20)]), true), (PortMatch(.either, [PortRange(1024)]), true),
            (PortMatch(.either, [PortRange(1025)]), false), (PortMatch(.source, [PortRange(20)], isInverted: true), false),
        ])
    func ports(_ match: PortMatch, _ expected: Bool) {
        #expect(match.matches(source: 20, destination: 1024) == expected)
    }

    @Test("A port takes one slot of a multiport match, a range two")
    func slots() {
        #expect(PortMatch.slots(of: PortRange(20)) == 1)
        #expect(PortMatch.slots(of: PortRange(20, 21)) == 2)
    }

    @Test("MARK clears the bits of its mask, then XORs its value")
    func markOperation() throws {
        #expect(MarkOperation(value: 0x15, mask: .max).applied(to: 0xffff) == 0x15)
        #expect(MarkOperation(value: 0x4000, mask: 0).applied(to: 0xc001) == 0x8001)
        #expect(MarkOperation(value: 0x100, mask: 0xff00).settingMark == (try Mark(0x100, mask: 0xff00)))
        #expect(MarkOperation(value: 0x4000, mask: 0).settingMark == nil)
        #expect(MarkOperation(value: 0, mask: .max).settingMark == nil)
    }

    @Test("Only jumps lead to a chain")
    func targets() {
        #expect(Target.jump(.mark).chain == .mark)
        #expect(Target.goTo(.nat).chain == .nat)
        #expect([Target.accept, .drop, .returnToCaller, .none].allSatisfy { $0.chain == nil })
    }

    @Test("Jumps lead into the entry chains that there are, have no match, and do not count as rules")
    func ruleset() {
        let ruleset = Ruleset(tables: [
            TableID(.ipv4, .nat): [Chain(.nat, [Rule(target: .returnToCaller)])],
            TableID(.ipv4, .mangle): [Chain(.markOut), Chain(.mark), Chain(.hold, [Rule(target: .none)])],
        ])
        #expect(ruleset.ruleCount == 2)
        #expect(ruleset.jumps(TableID(.ipv4, .nat)).map(\.hook) == [.postrouting])
        #expect(ruleset.jumps(TableID(.ipv4, .mangle)).map(\.hook) == [.prerouting, .output])
        #expect(ruleset.jumps(TableID(.ipv6, .mangle)).isEmpty)
        #expect(Ruleset.jump(into: .nat).iptablesSyntax == "-j fwmarkd-nat")
    }
}
