// SPDX-License-Identifier: GPL-2.0-or-later
import Judge
import Rules
import Testing

@Suite("The judge")
struct JudgeTests {
    private let mangle = TableID(.ipv4, .mangle)

    private func judge(_ chains: [Chain], _ packet: JudgedPacket = JudgedPacket(.ipv4)) -> Judgement {
        Judge(tables: [mangle: chains]).judge(packet, at: .prerouting)
    }

    private func mark(_ value: UInt32, _ mask: UInt32 = .max, _ match: RuleMatch = RuleMatch()) -> Rule {
        Rule(match, target: .mark(MarkOperation(value: value, mask: mask)))
    }

    @Test("5,000 nested chains are followed, and the way back from them")
    func deep() {
        let names = (0...5_000).map { ChainName(bytes: "c\($0)".utf8) }
        var chains = [Chain(Hook.prerouting.chain, policy: .accept, [Rule(target: .jump(names[0])), mark(0x100, 0xff00)])]
        for index in 0..<5_000 { chains.append(Chain(names[index], [Rule(target: .jump(names[index + 1]))])) }
        chains.append(Chain(names[5_000], [mark(7)]))
        #expect(judge(chains).mark == .known(0x107))
    }

    @Test("Chains that lead in a circle end in doubt")
    func circle() {
        let name = ChainName(bytes: "c".utf8)
        let chains = [
            Chain(Hook.prerouting.chain, policy: .accept, [Rule(target: .goTo(name))]), Chain(name, [Rule(target: .goTo(name))]),
        ]
        #expect(judge(chains).verdict.doubt != nil)
    }

    @Test("RETURN, goto, masks and policies as in the kernel")
    func flow() {
        let name = ChainName(bytes: "c".utf8)
        func hook(_ rules: [Rule], policy: Verdict = .accept) -> Chain { Chain(Hook.prerouting.chain, policy: policy, rules) }
        let chain = Chain(name, [mark(1), Rule(target: .returnToCaller), mark(2)])
        #expect(judge([hook([Rule(target: .jump(name)), mark(4, 4)]), chain]).mark == .known(5))
        #expect(judge([hook([Rule(target: .goTo(name)), mark(4, 4)]), chain]).mark == .known(1))
        #expect(judge([hook([Rule(target: .returnToCaller)], policy: .drop)]).verdict == .known(.drop))
        #expect(judge([hook([Rule(target: .accept)], policy: .drop)]).verdict == .known(.accept))
    }

    @Test("At a hook without an outgoing interface a rule that asks for one matches no packet, and one for all others every packet")
    func absentInterface() throws {
        func leaves(_ text: String, isInverted: Bool = false) throws -> RuleMatch {
            RuleMatch(outInterface: InterfaceMatch(try InterfacePattern(parsing: text), isInverted: isInverted))
        }
        let rules = [
            mark(1, 1, try leaves("eth0")), mark(2, 2, try leaves("eth0", isInverted: true)), mark(4, 4, try leaves("+")),
        ]
        #expect(judge([Chain(Hook.prerouting.chain, policy: .accept, rules)]).mark == .known(6))
    }

    @Test("What is in doubt is unknown, because of the rule; what all ways agree on is known")
    func doubt() {
        let local = RuleMatch(conditions: [.addressType(AddressTypeMatch(destination: 4))])
        let one = judge([Chain(Hook.prerouting.chain, policy: .accept, [mark(80, .max, local)])])
        #expect(one.mark.doubt?.number == 1 && one.verdict == .known(.accept))
        let overridden = judge([Chain(Hook.prerouting.chain, policy: .accept, [mark(80, .max, local), mark(81)])])
        #expect(overridden.mark == .known(81))
    }

    @Test("The example at the head of Judge: both ways agree on the last mark")
    func example() throws {
        var packet = JudgedPacket(.ipv4)
        (packet.destination, packet.protocolNumber) = (try Address(parsing: "203.0.113.10"), 6)
        let lvs = ChainName(bytes: "LVS".utf8)
        let hook = Chain(
            Hook.prerouting.chain, policy: .accept,
            [
                Rule(RuleMatch(conditions: [.mark(MarkMatch(value: 7, mask: .max))]), target: .drop),
                Rule(RuleMatch(destination: try AddressMatch(parsing: "203.0.113.0/24")), target: .jump(lvs)),
            ])
        let ftp = RuleMatch(transport: ProtocolMatch(6), conditions: [.ports(PortMatch(.destination, [PortRange(21)]))])
        let rules = [
            Rule(RuleMatch(transport: ProtocolMatch(17)), target: .returnToCaller), mark(21, .max, ftp), mark(80),
        ]
        #expect(judge([hook, Chain(lvs, rules)], packet).mark == .known(80))
        let without = judge([hook, Chain(lvs, Array(rules.dropLast()))], packet)
        #expect(without.mark.doubt?.chain == lvs && without.mark.doubt?.number == 2)
        #expect(without.verdict == .known(.accept))
    }

    @Test("A connection's mark of which nothing is known makes the restored bits unknown, and no others")
    func restored() {
        var packet = JudgedPacket(.ipv4)
        packet.connectionMark = .unknown
        let restore = Rule(target: .connectionMark(.restore(connectionMask: 0xff0000, packetMask: 0xff0000)))
        let asked = Rule(RuleMatch(conditions: [.mark(MarkMatch(value: 0x15, mask: 0xffff))]), target: .drop)
        let all = judge([Chain(Hook.prerouting.chain, policy: .accept, [mark(21), restore, asked])], packet)
        #expect(all.verdict == .known(.drop))
        #expect(all.mark.doubt?.rule == restore)
    }
}
