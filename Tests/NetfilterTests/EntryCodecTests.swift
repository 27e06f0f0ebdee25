import Foundation
import NamespaceSupport
import Rules
import Testing

@testable import Netfilter

/// Every kind of rule that fwmarkd makes, for each family it makes sense in.
private let kinds: [(Family, TableID, Rule)] = {
    func prefix(_ text: String) -> Prefix { (try? Prefix(parsing: text)) ?? Prefix(Address(ipv4: 0)) }
    func match(_ text: String) -> AddressMatch? { try? AddressMatch(parsing: text) }
    func interface(_ text: String) -> InterfacePattern? { try? InterfacePattern(parsing: text) }
    func mark(_ text: String) -> Target { (try? Mark(parsing: text)).map { .mark($0) } ?? .drop }
    var rules: [(Family, Table, Rule)] = []
    for family in Family.allCases {
        let host = match(family == .ipv4 ? "203.0.113.10/32" : "2001:db8::10/128")
        let network = match(family == .ipv4 ? "10.11.12.0/24" : "2001:db8:1::/48")
        let inverted = match(family == .ipv4 ? "!10.0.0.0/8" : "!fd00::/8")
        let odd = match(family == .ipv4 ? "128.0.0.0/1" : "8000::/1")
        for transport in TransportProtocol.allCases {
            for ports: TransportMatch.Ports in [
                .any, .destination(PortRange(21)), .destination(PortRange(10000, 20000)), .destination(PortRange(1, 65535)),
                .source(PortRange(20)), .source(PortRange(1024, 65535)), .destinations([PortRange(80), PortRange(443)]),
                .sources([PortRange(20), PortRange(1000, 2000)]),
                .destinations((1...7).map { PortRange($0 * 100, $0 * 100 + 50) } + [PortRange(9)]),
            ] {
                rules.append(
                    (family, .mangle, Rule(destination: host, transport: TransportMatch(transport, ports), target: mark("21"))))
            }
        }
        rules += [
            (family, .mangle, Rule(target: mark("0xffffffff"))),
            (family, .mangle, Rule(source: network, destination: inverted, target: mark("0x100/0xff00"))),
            (family, .mangle, Rule(destination: odd, inInterface: interface("eth0"), target: mark("1"))),
            (family, .mangle, Rule(inInterface: interface("eth+"), target: mark("1"))),
            (family, .mangle, Rule(inInterface: interface("abcdefghijklmno"), comment: "ftp", target: mark("1"))),
            (family, .mangle, Rule(comment: "two words, a \"quote\" and a \\", target: .returnToCaller)),
            (family, .mangle, Rule(comment: String(repeating: "x", count: 255), target: .accept)),
            (family, .mangle, Rule(source: inverted, target: .drop)),
            (family, .mangle, Rule(destination: network, target: .jump(ChainName(fromKernel: "FWMARKD-ONE")))),
            (family, .mangle, Rule(destination: network, target: .goTo(ChainName(fromKernel: "FWMARKD-345678901234567890ab")))),
            (family, .nat, Rule(source: network, outInterface: interface("eth1"), target: .masquerade)),
            (
                family, .nat,
                Rule(
                    source: network, destination: inverted, outInterface: interface("p+"),
                    transport: TransportMatch(.tcp, .source(PortRange(20))), comment: "ftp", target: .masquerade)
            ),
            (
                family, .nat,
                Rule(
                    source: network,
                    target: .sourceNAT(family == .ipv4 ? Address(ipv4: 0xcb00_710a) : Address(ipv6: 0x2001_0db8 << 96 | 0x10)))
            ),
        ]
    }
    return rules.map { ($0, TableID($0, $1), $2) }
}()

private let chains = ["FWMARKD-ONE", "FWMARKD-345678901234567890ab"].map { ChainName(fromKernel: $0) }

@Suite("The entry codec, judged by the kernel and by iptables-legacy", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct EntryCodecTests {
    @Test("An entry of ours equals the one that iptables-legacy makes of the rule's text, byte by byte", arguments: kinds.indices)
    func equalsIptables(_ index: Int) async throws {
        let (family, id, rule) = kinds[index]
        try await NetworkNamespace.run { namespace in
            let hook = id.table.hook
            let input =
                "*\(id.table)\n" + chains.map { ":\($0) - [0:0]\n" }.joined() + "-A \(hook) \(rule.iptablesSyntax)\nCOMMIT\n"
            try namespace.run("\(family.command)-legacy-restore", input: input)
            let theirs = try TableSocket(family).image(id.table)
            let snapshot = try #require(try KernelTables().snapshot(id))
            #expect(snapshot[hook]?.rules.map(\.content) == [.rule(rule)])

            let handle = try TableHandle(id)
            try handle.apply([.append(hook, KernelRule(.rule(rule)))])
            try handle.apply([.delete(hook, 0)])
            try handle.commit()
            let ours = try TableSocket(family).image(id.table)
            let found = differences(try normalised(ours, family), try normalised(theirs, family))
            #expect(found == [], "\(rule.iptablesSyntax)")
            #expect(try KernelTables().snapshot(id)?[hook]?.rules.map(\.content) == [.rule(rule)])
        }
    }

    @Test("A rule is shown as iptables-legacy-save shows it", arguments: kinds.indices)
    func syntaxEqualsIptables(_ index: Int) async throws {
        let (family, id, rule) = kinds[index]
        try await NetworkNamespace.run { namespace in
            let handle = try TableHandle(id)
            for chain in chains { try handle.apply([.createChain(chain)]) }
            try handle.apply([.append(id.table.hook, KernelRule(.rule(rule), counters: Counters(packets: 7, bytes: 4096)))])
            try handle.commit()
            let saved = try namespace.run("\(family.command)-legacy-save", "-c", "-t", id.table.rawValue)
            #expect(saved.contains("\n[7:4096] -A \(id.table.hook) \(rule.iptablesSyntax)\n"), "\(saved)")
        }
    }

    @Test(
        "A rule that we have no words for is kept whole, and can be put back as it was",
        arguments: [
            "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
            "-p tcp -m tcp --dport 21 --sport 1024:65535 -j MARK --set-xmark 0x1/0xffffffff",
            "-m mark --mark 0x1 -m comment --comment \"not ours\" -j FWMARKD-ONE",
            "-p tcp -m tcp ! --dport 80",
            "-d 10.0.0.1/255.0.255.0 -j ACCEPT",
            "-p icmp -m icmp --icmp-type 8 -j MARK --set-xmark 0x0/0xff",
            "! -i eth0 -j RETURN",
            "-f -j DROP",
        ])
    func keepsForeign(_ text: String) async throws {
        try await NetworkNamespace.run { namespace in
            let id = TableID(.ipv4, .mangle)
            let input = "*mangle\n:FWMARKD-ONE - [0:0]\n-A PREROUTING \(text)\nCOMMIT\n"
            let isInHook = !text.contains("TCPMSS")
            try namespace.run(
                "iptables-legacy-restore", input: isInHook ? input : input.replacingOccurrences(of: "PREROUTING", with: "FORWARD"))
            let hook = isInHook ? ChainName.prerouting : ChainName(fromKernel: "FORWARD")
            let before = try namespace.run("iptables-legacy-save", "-t", "mangle").split(separator: "\n").filter {
                !$0.hasPrefix("#")
            }
            let snapshot = try #require(try KernelTables().snapshot(id))
            let rule = try #require(snapshot[hook]?.rules.first)
            guard case .opaque(let opaque) = rule.content else {
                Issue.record("\(text) was taken for one of ours: \(rule.content)")
                return
            }
            #expect(opaque.chain?.text == (text.contains("FWMARKD-ONE") ? "FWMARKD-ONE" : nil))
            #expect(opaque.comment == (text.contains("not ours") ? "not ours" : nil))
            let handle = try TableHandle(id)
            try handle.apply([.delete(hook, 0)])
            try handle.apply([.append(hook, rule)])
            try handle.commit()
            let after = try namespace.run("iptables-legacy-save", "-t", "mangle").split(separator: "\n").filter {
                !$0.hasPrefix("#")
            }
            #expect(after == before)
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
            #expect(snapshot.chains.map(\.policy?.verdict) == ["ACCEPT", "ACCEPT", "DROP", "ACCEPT", "ACCEPT"])
            #expect(try KernelTables().size(id)?.entries == 6)
        }
    }

    @Test("A rule that the kernel has no words for is named before anything is committed")
    func preflight() async throws {
        try await NetworkNamespace.run { _ in
            #expect(try KernelTables().missingExtensions(for: [Chain(.mark, kinds.map(\.2))], .ipv4) == [])
            let missing = try TableSocket(.ipv6).missing(Extension(kind: .target, name: "MARK", revision: 9))
            #expect(missing == "the kernel's target MARK has no revision 9 for ipv6")
            let absent = try TableSocket(.ipv4).missing(Extension(kind: .match, name: "nosuch", revision: 0))
            #expect(absent == "the kernel has no match nosuch for ipv4; load the module ipt_nosuch")
        }
    }
}

/// The table's bytes without what may differ between equal rules: counters, `comefrom`, what stands behind the NUL of names.
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
