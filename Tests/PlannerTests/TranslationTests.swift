// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Planner
import Rules
import Testing

@Suite("Translations, and what they need in raw and mangle")
struct TranslationTests {
    @Test(
        "Destinations of a translation in the fewest rules that say it",
        arguments: [
            ("", ["nat -j MASQUERADE"]),
            ("!10.0.0.0/8", ["nat ! -d 10.0.0.0/8 -j MASQUERADE"]),
            ("192.0.2.0/24 198.51.100.7", ["nat -d 192.0.2.0/24 -j MASQUERADE", "nat -d 198.51.100.7/32 -j MASQUERADE"]),
            (
                "!10.0.0.0/8 !172.16.0.0/12 !10.1.0.0/16",
                ["nat -j fwmarkd-x-m", "x-m -d 10.0.0.0/8 -j RETURN", "x-m -d 172.16.0.0/12 -j RETURN", "x-m -j MASQUERADE"]
            ),
            (
                "192.0.2.0/24 !192.0.2.7 203.0.113.0/24",
                [
                    "nat -j fwmarkd-x-m", "x-m -d 192.0.2.7/32 -j RETURN", "x-m -d 192.0.2.0/24 -j MASQUERADE",
                    "x-m -d 203.0.113.0/24 -j MASQUERADE",
                ]
            ),
            ("192.0.2.0/24 !10.0.0.0/8", ["nat -d 192.0.2.0/24 -j MASQUERADE"]),
            ("10.1.0.0/16 !10.0.0.0/8 192.0.2.0/24", ["nat -d 192.0.2.0/24 -j MASQUERADE"]),
            ("10.1.0.0/16 !10.0.0.0/8", []),
            ("!0.0.0.0/0", []),
            ("0.0.0.0/0", ["nat -j MASQUERADE"]),
        ])
    func destinations(_ destinations: String, _ expected: [String]) throws {
        let masquerade = Masquerade(
            name: "m", sources: Selection(try prefixes("0.0.0.0/0")),
            destinations: try list(destinations) { try Prefix(parsing: $0) })
        #expect(nat(Configuration(masquerades: [masquerade])) == expected)
    }

    @Test("Translations are in their order, those of ftp first; each with what it asks and does")
    func translations() throws {
        let network = try prefixes("10.11.12.0/24")
        let vip = try Address(parsing: "203.0.113.10")
        let other = try Address(parsing: "203.0.113.12")
        let configuration = Configuration(
            ftp: [
                FTPService(
                    name: "a", mark: try Mark(21), addresses: [Prefix(vip)], passivePorts: PortRange(1024, 2048),
                    active: .init(realServers: network, to: .address(vip)))
            ],
            services: [
                Service(
                    name: "web", mark: try Mark(0x100, mask: 0xff00), addresses: Selection([Prefix(vip)]),
                    traffic: Traffic(tcp: [PortRange(80)]))
            ],
            masquerades: [
                Masquerade(
                    name: "dns", sources: Selection(network + (try prefixes("fd00::/8"))),
                    sourceTraffic: Traffic(udp: [PortRange(53), PortRange(123)]),
                    outInterfaces: Selection([try InterfacePattern(parsing: "eth+")])),
                Masquerade(name: "ipsec", destinations: Selection(try prefixes("172.16.0.0/12")), to: .unchanged),
                Masquerade(name: "arm", services: ["web"]),
                Masquerade(
                    name: "mail", sources: Selection(network), sourceTraffic: Traffic(tcp: [PortRange(1024, 65535)]),
                    destinationTraffic: Traffic(tcp: [PortRange(25)]), to: .addresses(vip, other), isRandom: true),
            ])
        #expect(
            nat(configuration) == [
                "nat -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -j SNAT --to-source 203.0.113.10",
                "nat -s 10.11.12.0/24 -o eth+ -p udp -m multiport --sports 53,123 -j MASQUERADE",
                "nat -d 172.16.0.0/12 -j ACCEPT",
                "nat -m mark --mark 0x100/0xff00 -j MASQUERADE",
                "nat -s 10.11.12.0/24 -p tcp -m tcp --sport 1024:65535 --dport 25 -j SNAT "
                    + "--to-source 203.0.113.10-203.0.113.12 --random-fully",
            ])
        #expect(
            nat(configuration, .ipv6) == ["nat -s fd00::/8 -o eth+ -p udp -m multiport --sports 53,123 -j MASQUERADE"],
            "no service marks IPv6")
    }

    @Test("FTP to the address that the client called: a helper, the connection's mark, and translation by it")
    func virtualAddress() throws {
        let configuration = Configuration(ftp: [
            FTPService(
                name: "ftp", mark: try Mark(0x15, mask: 0xff), addresses: try prefixes("203.0.113.10 2001:db8::10"),
                controlPorts: [21, 2121], passivePorts: PortRange(10000, 20000),
                active: .init(realServers: try prefixes("10.11.12.0/24 fd00::/64"), to: .virtualAddress))
        ])
        #expect(
            lines(configuration, comments: false).filter { !$0.contains("fwmarkd-hold") } == [
                "ipv4 raw", "-A fwmarkd-helper -d 203.0.113.10/32 -p tcp -m multiport --dports 21,2121 -j CT --helper ftp",
                "ipv6 raw", "-A fwmarkd-helper -d 2001:db8::10/128 -p tcp -m multiport --dports 21,2121 -j CT --helper ftp",
                "ipv4 nat",
                "-A fwmarkd-nat -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -m connmark --mark 0x15/0xff "
                    + "-j SNAT --to-source 203.0.113.10",
                "ipv6 nat",
                "-A fwmarkd-nat -s fd00::/64 -p tcp -m tcp --sport 20 -m connmark --mark 0x15/0xff -j SNAT --to-source 2001:db8::10",
                "ipv4 mangle",
                "-A fwmarkd-mark -d 203.0.113.10/32 -p tcp -m multiport --dports 21,2121,10000:20000 -j MARK --set-xmark 0x15/0xff",
                "-A fwmarkd-mark -d 203.0.113.10/32 -p tcp -m multiport --dports 21,2121,10000:20000 "
                    + "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff",
                "ipv6 mangle",
                "-A fwmarkd-mark -d 2001:db8::10/128 -p tcp -m multiport --dports 21,2121,10000:20000 -j MARK --set-xmark 0x15/0xff",
                "-A fwmarkd-mark -d 2001:db8::10/128 -p tcp -m multiport --dports 21,2121,10000:20000 "
                    + "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff",
            ])
    }

    @Test(
        "Connection tracking is kept where nat has rules of ours, and by a rule that nothing leads to", arguments: Family.allCases)
    func hold(_ family: Family) throws {
        let source = family == .ipv4 ? "10.0.0.0/8" : "fd00::/8"
        let plan = Planner.plan(for: Configuration(masquerades: [Masquerade(name: "m", sources: Selection(try prefixes(source)))]))
        let chains = plan.ruleset.tables[TableID(family, .mangle)]
        #expect(chains?.map(\.name) == [.hold])
        #expect(chains?[0].rules.map(\.target) == [.none])
        #expect(plan.ruleset.tables.keys.count == 2)
    }
}

/// The rules of nat, without comments and what is the same in all.
private func nat(_ configuration: Configuration, _ family: Family = .ipv4) -> [String] {
    let all = lines(configuration, comments: false)
    guard let start = all.firstIndex(of: "\(family) nat") else { return [] }
    return all[(start + 1)...].prefix { $0.hasPrefix("-A") }.map { $0.replacing("-A fwmarkd-", with: "") }
}
