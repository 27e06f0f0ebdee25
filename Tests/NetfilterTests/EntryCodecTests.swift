// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import Rules
import Testing

@testable import Netfilter

/// Every kind of rule, ours and others', for each family it makes sense in.
private let kinds: [(Family, TableID, Rule)] = {
    func match(_ text: String) -> AddressMatch? { try? AddressMatch(parsing: text) }
    func interface(_ text: String, isInverted: Bool = false) -> InterfaceMatch? {
        (try? InterfacePattern(parsing: text)).map { InterfaceMatch($0, isInverted: isInverted) }
    }
    func mark(_ text: String) -> Target { (try? Mark(parsing: text)).map { .mark(MarkOperation($0)) } ?? .drop }
    func when(_ conditions: Condition..., of transport: TransportProtocol? = nil) -> RuleMatch {
        RuleMatch(transport: transport.map { ProtocolMatch($0) }, conditions: conditions)
    }
    var rules: [(Family, Table, Rule)] = []
    for family in Family.allCases {
        let host = match(family == .ipv4 ? "203.0.113.10/32" : "2001:db8::10/128")
        let network = match(family == .ipv4 ? "10.11.12.0/24" : "2001:db8:1::/48")
        let inverted = match(family == .ipv4 ? "!10.0.0.0/8" : "!fd00::/8")
        let odd = match(family == .ipv4 ? "128.0.0.0/1" : "8000::/1")
        let first = family == .ipv4 ? Address(ipv4: 0xcb00_710a) : Address(ipv6: 0x2001_0db8 << 96 | 0x10)
        let last = family == .ipv4 ? Address(ipv4: 0xcb00_710c) : Address(ipv6: 0x2001_0db8 << 96 | 0x12)
        for transport in TransportProtocol.allCases {
            for ports: [PortMatch] in [
                [], [PortMatch(.destination, [PortRange(21)])], [PortMatch(.destination, [PortRange(10000, 20000)])],
                [PortMatch(.destination, [PortRange(1, 65535)])], [PortMatch(.source, [PortRange(20)])],
                [PortMatch(.source, [PortRange(1024, 65535)])], [PortMatch(.destination, [PortRange(22)], isInverted: true)],
                [PortMatch(.source, [PortRange(20)]), PortMatch(.destination, [PortRange(25)], isInverted: true)],
                [PortMatch(.destination, [PortRange(80), PortRange(443)])],
                [PortMatch(.source, [PortRange(20), PortRange(1000, 2000)], isInverted: true)],
                [PortMatch(.either, [PortRange(53)])],
                [PortMatch(.destination, (1...7).map { PortRange($0 * 100, $0 * 100 + 50) } + [PortRange(9)])],
                [PortMatch(.source, [PortRange(1), PortRange(3)]), PortMatch(.destination, [PortRange(80), PortRange(443)])],
            ] {
                let match = RuleMatch(destination: host, transport: ProtocolMatch(transport), conditions: ports.map { .ports($0) })
                rules.append((family, .mangle, Rule(match, target: mark("21"))))
            }
        }
        let mac = MACAddress(bits: 0x0200_5e10_0002)
        let icmp = RuleMatch(
            transport: ProtocolMatch(family == .ipv4 ? 1 : 58), conditions: [.icmp(type: 8, codes: 0...255, isInverted: false)])
        let matches: [RuleMatch] = [
            RuleMatch(), RuleMatch(source: network, destination: inverted),
            RuleMatch(destination: odd, inInterface: interface("eth0")),
            RuleMatch(inInterface: interface("eth+")), RuleMatch(inInterface: interface("abcdefghijklmno")),
            RuleMatch(inInterface: interface("eth1", isInverted: true)), RuleMatch(transport: ProtocolMatch(50)),
            RuleMatch(transport: ProtocolMatch(51, isInverted: true)), RuleMatch(transport: ProtocolMatch(200)),
            when(.tcpFlags(examined: 0x12, set: 0x02, isInverted: false), of: .tcp),
            when(
                .ports(PortMatch(.destination, [PortRange(80)])), .tcpFlags(examined: 0x17, set: 0x02, isInverted: true), of: .tcp),
            when(.mark(MarkMatch(value: 80))), when(.mark(MarkMatch(value: 0x4000, mask: 0x4000, isInverted: true))),
            when(.connectionMark(MarkMatch(value: 21))), when(.connectionMark(MarkMatch(value: 1, mask: 0xff, isInverted: true))),
            when(.mac(mac, isInverted: true)), when(.mac(mac, isInverted: false), .mark(MarkMatch(value: 1)), of: .tcp),
            when(.connectionState([.new, .related], isInverted: false)), when(.connectionState(.invalid, isInverted: true)), icmp,
            when(.addressType(AddressTypeMatch(destination: 1 << 2))),
            when(.addressType(AddressTypeMatch(source: 1 << 1, isSourceInverted: true))),
            when(.addressRange(side: .destination, first: first, last: last, isInverted: false)),
            when(.addressRange(side: .source, first: first, last: last, isInverted: true)),
        ]
        rules += matches.map { (family, .mangle, Rule($0, comment: "ftp", target: mark("0x100/0xff00"))) }
        if family == .ipv4 {
            rules += [true, false].map { (family, .mangle, Rule(RuleMatch(source: network, isFurtherFragment: $0), target: .drop)) }
        }
        rules += [
            (family, .mangle, Rule(target: mark("0xffffffff"))),
            (family, .mangle, Rule(target: .mark(MarkOperation(value: 0x4000, mask: 0)))),
            (family, .mangle, Rule(comment: "two words, a \"quote\" and a \\", target: .returnToCaller)),
            (family, .mangle, Rule(comment: String(repeating: "x", count: 255), target: .accept)),
            (family, .mangle, Rule(RuleMatch(source: inverted), target: .drop)),
            (family, .mangle, Rule(when(.connectionState([.new], isInverted: false)), comment: "held", target: .none)),
            (family, .mangle, Rule(RuleMatch(destination: network), target: .jump(chains[0]))),
            (family, .mangle, Rule(RuleMatch(destination: network), target: .goTo(chains[1]))),
        ]
        var options = TranslationOptions()
        let source = RuleMatch(source: network, outInterface: interface("eth1"))
        rules.append((family, .nat, Rule(source, target: .masquerade(options))))
        rules.append(
            (family, .nat, Rule(RuleMatch(outInterface: interface("p+", isInverted: true)), target: .sourceNAT(SourceRange(first))))
        )
        rules.append((family, .nat, Rule(source, target: .sourceNAT(SourceRange(first, last)))))
        options.isFullyRandom = true
        rules.append((family, .nat, Rule(source, target: .masquerade(options))))
        rules.append((family, .nat, Rule(source, target: .sourceNAT(SourceRange(first, last, options: options)))))
        options = TranslationOptions(ports: PortRange(1024, 2048), isRandom: true)
        rules.append((family, .nat, Rule(RuleMatch(source: network, transport: ProtocolMatch(.tcp)), target: .masquerade(options))))
        options = TranslationOptions(ports: PortRange(7), isPersistent: true)
        rules.append(
            (
                family, .nat,
                Rule(
                    RuleMatch(source: network, transport: ProtocolMatch(.tcp)),
                    target: .sourceNAT(SourceRange(first, options: options)))
            ))
        rules.append(
            (
                family, .raw,
                Rule(
                    RuleMatch(transport: ProtocolMatch(.tcp), conditions: [.ports(PortMatch(.destination, [PortRange(21)]))]),
                    target: .helper("ftp"))
            ))
    }
    return rules.map { ($0, TableID($0, $1), $2) }
}()

private let chains = ["fwmarkd-one", "fwmarkd-345678901234567890ab"].map { ChainName(bytes: $0.utf8) }

extension TableID {
    /// A hook of the table.
    fileprivate var hook: ChainName { (table == .nat ? Hook.postrouting : .prerouting).chain }
}

@Suite("The entry codec, judged by the kernel and by iptables-legacy", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct EntryCodecTests {
    @Test("An entry of ours equals the one that iptables-legacy makes of the rule's text, byte by byte", arguments: kinds.indices)
    func equalsIptables(_ index: Int) async throws {
        let (family, id, rule) = kinds[index]
        try await NetworkNamespace.run { namespace in
            let hook = id.hook
            let input =
                "*\(id.table)\n" + chains.map { ":\($0) - [0:0]\n" }.joined() + "-A \(hook) \(rule.iptablesSyntax)\nCOMMIT\n"
            try namespace.run("\(family.command)-legacy-restore", input: input)
            let theirs = try TableSocket(family).image(id.table)
            let snapshot = try #require(try KernelTables().snapshot(id))
            #expect(snapshot[hook]?.rules.map(\.content) == [KernelRule.Content(rule)])

            let handle = try TableHandle(id)
            _ = try handle.apply([.append(hook, KernelRule(rule))])
            _ = try handle.apply([.delete(hook, 0)])
            try handle.commit()
            let ours = try TableSocket(family).image(id.table)
            let found = differences(try normalised(ours, family), try normalised(theirs, family))
            #expect(found == [], "\(rule.iptablesSyntax)")
            #expect(try KernelTables().snapshot(id)?[hook]?.rules.map(\.content) == [KernelRule.Content(rule)])
        }
    }

    @Test("A rule is shown as iptables-legacy-save shows it", arguments: kinds.indices)
    func syntaxEqualsIptables(_ index: Int) async throws {
        let (family, id, rule) = kinds[index]
        try await NetworkNamespace.run { namespace in
            let handle = try TableHandle(id)
            for chain in chains { _ = try handle.apply([.createChain(chain)]) }
            _ = try handle.apply([.append(id.hook, KernelRule(rule, counters: Counters(packets: 7, bytes: 4096)))])
            try handle.commit()
            let saved = try namespace.run("\(family.command)-legacy-save", "-c", "-t", id.table.rawValue)
            #expect(saved.contains("\n[7:4096] -A \(id.hook) \(rule.iptablesSyntax)\n"), "\(saved)")
        }
    }

    @Test(
        "A rule that our words do not make again is kept whole, and can be put back as it was",
        arguments: [
            ("FORWARD", "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"),
            ("PREROUTING", "-m mark --mark 0x1 -m comment --comment \"not ours\" -j fwmarkd-one"),
            ("PREROUTING", "-m comment --comment \"not ours\" -m mark --mark 0x1 -j fwmarkd-one"),
            ("PREROUTING", "-p tcp -m tcp"),
            ("PREROUTING", "-d 10.0.0.1/255.0.255.0 -j ACCEPT"),
            ("PREROUTING", "-p icmp -m icmp --icmp-type 8 -j MARK --set-xmark 0x0/0xff"),
            ("PREROUTING", "-m limit --limit 3/min -j RETURN"),
            ("PREROUTING", "-m state --state NEW -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff00"),
            ("PREROUTING", "-m comment --comment one -m comment --comment two -j DROP"),
            ("PREROUTING", "-p udp -m multiport --dports 1,2 -m statistic --mode nth --every 2 --packet 0"),
        ])
    func keepsForeign(_ chain: String, _ text: String) async throws {
        try await NetworkNamespace.run { namespace in
            let id = TableID(.ipv4, .mangle)
            try namespace.run("iptables-legacy-restore", input: "*mangle\n:fwmarkd-one - [0:0]\n-A \(chain) \(text)\nCOMMIT\n")
            let hook = ChainName(bytes: chain.utf8)
            func saved() throws -> [Substring] {
                try namespace.run("iptables-legacy-save", "-t", "mangle").split(separator: "\n").filter { !$0.hasPrefix("#") }
            }
            let before = try saved()
            let snapshot = try #require(try KernelTables().snapshot(id))
            let rule = try #require(snapshot[hook]?.rules.first)
            #expect(rule.content.chain?.text == (text.contains("fwmarkd-one") ? "fwmarkd-one" : nil))
            #expect(rule.content.comment == (text.contains("not ours") ? "not ours" : text.contains("one -m") ? "one" : nil))
            let handle = try TableHandle(id)
            let other = KernelRule(Rule(rule.rule.match, comment: "other", target: rule.rule.target))
            #expect(throws: NetfilterError.self) { _ = try handle.apply([.deleteForeign(hook, 0, other.content)]) }
            #expect(try handle.apply([.deleteForeign(hook, 0, rule.content), .append(hook, rule)]) == [])
            try handle.commit()
            #expect(try saved() == before)
        }
    }

    @Test("An entry made over that of the rule before it is the same as one made from nothing, whatever the two differ in")
    func entriesOverTheLast() throws {
        for family in Family.allCases {
            // Whole rules, and the same with less in them: neighbours that differ in one part alone.
            var rules = kinds.filter { $0.0 == family }.map(\.2)
            rules +=
                rules.map { Rule($0.match, target: $0.target) }
                + rules.map { Rule(RuleMatch(), comment: $0.comment, target: $0.target) }
            for length in [8, 24, 32] {
                let address = family == .ipv4 ? Address(ipv4: 0x0a00_0000) : Address(ipv6: 0xfd00 << 112)
                let match = AddressMatch(Prefix(containing: address, length: length))
                rules += [Rule(RuleMatch(source: match), target: .drop), Rule(RuleMatch(destination: match), target: .drop)]
            }
            let anew = try rules.map { rule in
                var encoder = EntryEncoder(family)
                return try encoder.withEntry(rule) { Array($0) }
            }
            var encoder = EntryEncoder(family)
            for first in rules.indices {
                for second in rules.indices {
                    // The first one has counters, which the second has not.
                    _ = try encoder.withEntry(KernelRule(rules[first], counters: Counters(packets: 7, bytes: 700))) { _ in }
                    let entry = try encoder.withEntry(rules[second]) { Array($0) }
                    guard entry != anew[second] else { continue }
                    Issue.record("\(rules[second].iptablesSyntax) after \(rules[first].iptablesSyntax)")
                }
            }
        }
    }

    @Test("A table of built-in chains alone is read with its policies")
    func emptyTable() async throws {
        try await NetworkNamespace.run { namespace in
            let id = TableID(.ipv4, .mangle)
            #expect(try KernelTables().snapshot(id) == nil, "looking must not create the table")
            try namespace.run("iptables-legacy", "-t", "mangle", "-P", "FORWARD", "DROP")
            let snapshot = try #require(try KernelTables().snapshot(id))
            #expect(snapshot.chains.map(\.name.text) == ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"])
            #expect(snapshot.chains.map(\.policy?.verdict) == [.accept, .accept, .drop, .accept, .accept])
            #expect(try KernelTables().size(id)?.entries == 6)
        }
    }

    @Test("Whether the kernel has a table is found out without making it", arguments: Family.allCases)
    func missingTables(_ family: Family) async throws {
        try await NetworkNamespace.run { _ in
            let tables = KernelTables()
            let all = Table.allCases.map { TableID(family, $0) }
            let missing = try tables.missingTables(of: all)
            #expect(missing == [])
            for id in all {
                let isMade = try tables.exists(id)
                #expect(!isMade, "\(id)")
            }
        }
    }

    @Test("A rule that the kernel cannot express is named before anything is committed")
    func preflight() async throws {
        try await NetworkNamespace.run { _ in
            #expect(try KernelTables().missingExtensions(for: [Chain(.mark, kinds.map(\.2))], .ipv4) == [])
            let missing = try TableSocket(.ipv6).missing(Extension(kind: .target, name: "MARK", revision: 9))
            #expect(missing == "the kernel's target MARK has no revision 9 for ipv6")
            let absent = try TableSocket(.ipv4).missing(Extension(kind: .match, name: "nosuch", revision: 0))
            #expect(absent == "the kernel has no match nosuch for ipv4; load the module xt_nosuch")
        }
    }
}

/// The table's bytes without what may differ between equal rules: counters, `comefrom`, what is after the NUL of names.
private func normalised(_ table: TableImage, _ family: Family) throws -> [UInt8] {
    var bytes = table.bytes
    let layout = EntryLayout.of(family)
    for offset in table.offsets.dropLast() {
        let entry = try EntryReader(table.bytes, at: offset, layout)
        for index in layout.counters..<layout.counters + 16 { bytes[offset + index] = 0 }
        for index in layout.comefrom..<layout.comefrom + 4 { bytes[offset + index] = 0 }
        for part in Array(entry.matches) + [entry.target] {
            let start = part.header + EntryLayout.headerName
            for index in start + entry.name(part).utf8.count..<start + EntryLayout.nameSize { bytes[index] = 0 }
        }
    }
    return bytes
}

/// Where two byte strings differ, for a readable failure.
private func differences(_ left: [UInt8], _ right: [UInt8]) -> [String] {
    if left.count != right.count { return ["\(left.count) bytes, not \(right.count)"] }
    return left.indices.filter { left[$0] != right[$0] }.map { "byte \($0): \(left[$0]), not \(right[$0])" }
}
