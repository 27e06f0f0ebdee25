import ConfigurationFile
import Planner
import Rules
import Testing

@Suite("The plain order: rules as a person would write them")
struct PlainOrderTests {
    @Test("The example of the README: a mark, a translation, and a rule that keeps connection tracking")
    func example() throws {
        let configuration = Configuration(ftp: [
            FTPService(
                name: "ftp", mark: try Mark(21), addresses: [try Prefix(parsing: "203.0.113.10")],
                passivePorts: PortRange(10000, 20000), active: .init(realServers: [try Prefix(parsing: "10.11.12.0/24")]))
        ])
        let states = "-m conntrack --ctstate NEW,RELATED,ESTABLISHED"
        let comment = "\"keeps connection tracking while nat is reloaded, so that transfers go on\""
        #expect(
            lines(configuration) == [
                "ipv4 nat", "-A fwmarkd-nat -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -m comment --comment ftp -j MASQUERADE",
                "ipv4 mangle",
                "-A fwmarkd-mark -d 203.0.113.10/32 -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp "
                    + "-j MARK --set-xmark 0x15/0xffffffff",
                "-A fwmarkd-hold \(states) -m comment --comment \(comment)",
            ])
    }

    @Test("Each family has its addresses; ftp is before the services, and protocols in the order tcp, udp, sctp, others")
    func families() throws {
        let addresses = try prefixes("203.0.113.20 2001:db8::20 203.0.113.32/28")
        let configuration = Configuration(
            ftp: [FTPService(name: "ftp", mark: try Mark(21), addresses: [addresses[1]], passivePorts: PortRange(22, 30))],
            services: [
                Service(
                    name: "web", mark: try Mark(80, mask: 0xff), addresses: Selection(addresses),
                    traffic: Traffic(tcp: [PortRange(443), PortRange(80)], udp: [.all], protocols: [50]),
                    inInterfaces: Selection([try InterfacePattern(parsing: "eth0")]))
            ])
        let tcp = "-i eth0 -p tcp -m multiport --dports 80,443 -j MARK --set-xmark 0x50/0xff"
        let udp = "-i eth0 -p udp -j MARK --set-xmark 0x50/0xff"
        let esp = "-i eth0 -p esp -j MARK --set-xmark 0x50/0xff"
        #expect(
            lines(configuration, comments: false) == [
                "ipv4 mangle",
                "-A fwmarkd-mark -d 203.0.113.20/32 \(tcp)", "-A fwmarkd-mark -d 203.0.113.20/32 \(udp)",
                "-A fwmarkd-mark -d 203.0.113.20/32 \(esp)",
                "-A fwmarkd-mark -d 203.0.113.32/28 \(tcp)", "-A fwmarkd-mark -d 203.0.113.32/28 \(udp)",
                "-A fwmarkd-mark -d 203.0.113.32/28 \(esp)",
                "ipv6 mangle",
                "-A fwmarkd-mark -d 2001:db8::20/128 -p tcp -m tcp --dport 21:30 -j MARK --set-xmark 0x15/0xffffffff",
                "-A fwmarkd-mark -d 2001:db8::20/128 \(tcp)", "-A fwmarkd-mark -d 2001:db8::20/128 \(udp)",
                "-A fwmarkd-mark -d 2001:db8::20/128 \(esp)",
            ])
    }

    @Test(
        "Ports are merged, and spread over matches of fifteen slots at most",
        arguments: [
            ("80,80", ["-m tcp --dport 80 "]),
            ("81,80,82-90", ["-m tcp --dport 80:90 "]),
            ("1-65535,7", [""]),
            ("1-1023,1024-65535", [""]),
            ("20,10-15,12-17", ["-m multiport --dports 10:17,20 "]),
            (
                "1,3,5,7,9,11,13,15,17,19,21,23,25,27-28,30",
                ["-m multiport --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27:28 ", "-m tcp --dport 30 "]
            ),
            (
                "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29-30,40,42",
                ["-m multiport --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27 ", "-m multiport --dports 29:30,40,42 "]
            ),
        ])
    func ports(_ ports: String, _ matches: [String]) throws {
        let ranges = try ports.split(separator: ",").map { try PortRange(parsing: String($0)) }
        let service = Service(
            name: "s", mark: try Mark(1), addresses: Selection(try prefixes("192.0.2.1")), traffic: Traffic(tcp: ranges))
        #expect(
            lines(Configuration(services: [service]), comments: false).dropFirst()
                == matches.map { "-A fwmarkd-mark -d 192.0.2.1/32 -p tcp \($0)-j MARK --set-xmark 0x1/0xffffffff" }[...])
    }

    @Test("An address that another one of the service contains makes no rule, and all addresses are no match")
    func coveredAddresses() throws {
        let service = Service(
            name: "s", mark: try Mark(1),
            addresses: Selection(try prefixes("192.0.2.7 192.0.2.0/24 192.0.2.0/24 ::/0 2001:db8::1")),
            traffic: Traffic(sctp: [PortRange(9)]), inInterfaces: Selection([InterfacePattern(beginning: "")]))
        #expect(
            lines(Configuration(services: [service]), comments: false) == [
                "ipv4 mangle", "-A fwmarkd-mark -d 192.0.2.0/24 -p sctp -m sctp --dport 9 -j MARK --set-xmark 0x1/0xffffffff",
                "ipv6 mangle", "-A fwmarkd-mark -p sctp -m sctp --dport 9 -j MARK --set-xmark 0x1/0xffffffff",
            ])
    }

    @Test(
        "What else a service asks, in the fewest rules that say it; a chain of its own where one rule cannot",
        arguments: [
            (Words(sources: "10.0.0.0/8"), ["mark -s 10.0.0.0/8 -d V -j MARK"]),
            (Words(sources: "!10.0.0.0/8"), ["mark ! -s 10.0.0.0/8 -d V -j MARK"]),
            (Words(sources: "10.0.0.0/8 11.0.0.0/8"), ["mark -s 10.0.0.0/8 -d V -j MARK", "mark -s 11.0.0.0/8 -d V -j MARK"]),
            (
                Words(sources: "!10.0.0.0/8 !12.0.0.0/8"),
                ["mark -d V -j fwmarkd-s-web", "s-web -s 10.0.0.0/8 -j RETURN", "s-web -s 12.0.0.0/8 -j RETURN", "s-web -j MARK"]
            ),
            (
                Words(sources: "10.0.0.0/8 !10.1.0.0/16"),
                ["mark -s 10.0.0.0/8 -d V -j fwmarkd-s-web", "s-web -s 10.1.0.0/16 -j RETURN", "s-web -j MARK"]
            ),
            (Words(sources: "10.0.0.0/8 !12.0.0.0/8"), ["mark -s 10.0.0.0/8 -d V -j MARK"]),
            (Words(sources: "2001:db8::/32"), []),
            (
                Words(sources: "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5"),
                ["mark -d V -j fwmarkd-s-web"] + (1...5).map { "s-web -s 10.0.0.\($0)/32 -j MARK" }
            ),
            (Words(addresses: "!203.0.113.40"), ["mark ! -d 203.0.113.40/32 -j MARK", "mark -j MARK"]),
            (
                Words(addresses: "203.0.113.32/28 !203.0.113.40"),
                ["mark -d 203.0.113.32/28 -j fwmarkd-s-web", "s-web -d 203.0.113.40/32 -j RETURN", "s-web -j MARK"]
            ),
            (Words(interfaces: "eth0 ppp+"), ["mark -d V -i eth0 -j MARK", "mark -d V -i ppp+ -j MARK"]),
            (Words(interfaces: "!eth1"), ["mark -d V ! -i eth1 -j MARK"]),
            (
                Words(interfaces: "!eth1 !eth2"),
                ["mark -d V -j fwmarkd-s-web", "s-web -i eth1 -j RETURN", "s-web -i eth2 -j RETURN", "s-web -j MARK"]
            ),
            (
                Words(interfaces: "ppp+ ppp7 !ppp0"),
                ["mark -d V -i ppp+ -j fwmarkd-s-web", "s-web -i ppp0 -j RETURN", "s-web -j MARK"]
            ),
            (
                Words(macs: "!02:00:5e:10:00:02 !02:00:5e:10:00:01"),
                ["mark -d V -m mac ! --mac-source 02:00:5e:10:00:01 -m mac ! --mac-source 02:00:5e:10:00:02 -j MARK"]
            ),
            (Words(macs: "02:00:5e:10:00:02"), ["mark -d V -m mac --mac-source 02:00:5e:10:00:02 -j MARK"]),
            (Words(hooks: [.input, .output]), ["mark-in -d V -j MARK", "mark-out -d V -j MARK"]),
            (Words(hooks: [.prerouting, .output], interfaces: "eth0"), ["mark -d V -i eth0 -j MARK"]),
        ])
    func words(_ words: Words, _ expected: [String]) throws {
        let rules = lines(Configuration(services: [try words.service]), comments: false).filter { $0.hasPrefix("-A") }
        #expect(
            rules.map {
                $0.replacing(" -p tcp -m tcp --dport 80", with: "").replacing(" --set-xmark 0x50/0xffffffff", with: "")
                    .replacing("-A fwmarkd-", with: "").replacing("-d 192.0.2.1/32", with: "-d V")
            } == expected)
    }

    /// Some words of one service.
    struct Words: Sendable, CustomTestStringConvertible {
        var addresses = "192.0.2.1"
        var sources = ""
        var hooks: [Hook] = [.prerouting]
        var interfaces = ""
        var macs = ""

        var testDescription: String { "\(addresses), \(sources), \(hooks), \(interfaces), \(macs)" }

        var service: Service {
            get throws {
                Service(
                    name: "web", mark: try Mark(80), addresses: try list(addresses) { try Prefix(parsing: $0) },
                    traffic: Traffic(tcp: [PortRange(80)]), sources: try list(sources) { try Prefix(parsing: $0) },
                    sourceMACs: try list(macs) { try MACAddress(parsing: $0) },
                    inInterfaces: try list(interfaces) { try InterfacePattern(parsing: $0) }, hooks: hooks)
            }
        }
    }

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
                "nat -s 10.11.12.0/24 -p tcp -m tcp --sport 1024:65535 -m tcp --dport 25 -j SNAT "
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

    @Test("A name too long for a chain is replaced by a digest that does not change")
    func longNames() throws {
        let masquerade = Masquerade(
            name: "a-name-that-is-longer-than-any-chain-can-be", sources: Selection(try prefixes("10.0.0.0/8")),
            destinations: Selection(excluding: try prefixes("10.0.0.0/8 192.168.0.0/16")))
        let chains = Planner.plan(for: Configuration(masquerades: [masquerade])).ruleset.tables[TableID(.ipv4, .nat)] ?? []
        #expect(chains.map(\.name.text) == ["fwmarkd-nat", "fwmarkd-y-a7e85eede3ad10"])
    }

    @Test("Nothing wanted, nothing there")
    func nothing() { #expect(Planner.plan(for: Configuration()).ruleset == Ruleset()) }
}

/// Prefixes with spaces between them.
func prefixes(_ text: String) throws -> [Prefix] { try text.split(separator: " ").map { try Prefix(parsing: String($0)) } }

/// A list with spaces between its entries, some of which may have "!".
func list<Element>(_ text: String, _ parse: (String) throws -> Element) throws -> Selection<Element> {
    let entries = text.split(separator: " ").map(String.init)
    return Selection(
        try entries.filter { !$0.hasPrefix("!") }.map(parse),
        excluding: try entries.filter { $0.hasPrefix("!") }.map { try parse(String($0.dropFirst())) })
}

/// The planned ruleset as iptables would be told it, table by table.
func lines(_ configuration: Configuration, layout: Planner.Layout = .automatic, comments: Bool = true) -> [String] {
    var lines: [String] = []
    let ruleset = Planner.plan(for: configuration, layout: layout).ruleset
    for id in TableID.ours {
        guard let chains = ruleset.tables[id] else { continue }
        lines.append("\(id)")
        for chain in chains {
            for var rule in chain.rules {
                if !comments { rule.comment = nil }
                lines.append("-A \(chain.name) \(rule.iptablesSyntax)")
            }
        }
    }
    return lines
}

/// The rules of nat, without comments and what is the same in all.
private func nat(_ configuration: Configuration, _ family: Family = .ipv4) -> [String] {
    let all = lines(configuration, comments: false)
    guard let start = all.firstIndex(of: "\(family) nat") else { return [] }
    return all[(start + 1)...].prefix { $0.hasPrefix("-A") }.map { $0.replacing("-A fwmarkd-", with: "") }
}
