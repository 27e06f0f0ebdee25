// SPDX-License-Identifier: GPL-2.0-or-later
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
