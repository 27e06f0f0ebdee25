import ConfigurationFile
import Planner
import Rules
import Testing

@Suite("The plain order: rules as a person would write them")
struct PlainOrderTests {
    @Test("The example of the design's first section")
    func example() throws {
        let configuration = Configuration(ftp: [
            FTPService(
                name: "ftp", mark: try Mark(21), addresses: [try Prefix(parsing: "203.0.113.10")],
                passivePorts: PortRange(10000, 20000), active: .init(realServers: [try Prefix(parsing: "10.11.12.0/24")]),
                position: here)
        ])
        #expect(
            text(Planner.ruleset(for: configuration)) == """
                ipv4 nat
                -A FWMARKD-NAT -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -m comment --comment ftp -j MASQUERADE
                ipv4 mangle
                -A FWMARKD-MARK -d 203.0.113.10/32 -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp \
                -j MARK --set-xmark 0x15/0xffffffff

                """)
    }

    @Test("Each family has its addresses; ftp stands before the services, and protocols in the order tcp, udp, sctp")
    func families() throws {
        let addresses = try ["203.0.113.20", "2001:db8::20", "203.0.113.32/28"].map { try Prefix(parsing: $0) }
        let configuration = Configuration(
            ftp: [
                FTPService(
                    name: "ftp", mark: try Mark(21), addresses: [addresses[1]], passivePorts: PortRange(22, 30), position: here)
            ],
            services: [
                Service(
                    name: "web", mark: try Mark(80, mask: 0xff), addresses: addresses,
                    ports: [.udp: [PortRange(443)], .tcp: [PortRange(443), PortRange(80)]],
                    inInterface: try InterfacePattern(parsing: "eth0"), position: here)
            ])
        #expect(
            text(Planner.ruleset(for: configuration)) == """
                ipv4 mangle
                -A FWMARKD-MARK -d 203.0.113.20/32 -i eth0 -p tcp -m multiport --dports 80,443 -m comment --comment web -j MARK --set-xmark 0x50/0xff
                -A FWMARKD-MARK -d 203.0.113.20/32 -i eth0 -p udp -m udp --dport 443 -m comment --comment web -j MARK --set-xmark 0x50/0xff
                -A FWMARKD-MARK -d 203.0.113.32/28 -i eth0 -p tcp -m multiport --dports 80,443 -m comment --comment web -j MARK --set-xmark 0x50/0xff
                -A FWMARKD-MARK -d 203.0.113.32/28 -i eth0 -p udp -m udp --dport 443 -m comment --comment web -j MARK --set-xmark 0x50/0xff
                ipv6 mangle
                -A FWMARKD-MARK -d 2001:db8::20/128 -p tcp -m tcp --dport 21:30 -m comment --comment ftp -j MARK --set-xmark 0x15/0xffffffff
                -A FWMARKD-MARK -d 2001:db8::20/128 -i eth0 -p tcp -m multiport --dports 80,443 -m comment --comment web -j MARK --set-xmark 0x50/0xff
                -A FWMARKD-MARK -d 2001:db8::20/128 -i eth0 -p udp -m udp --dport 443 -m comment --comment web -j MARK --set-xmark 0x50/0xff

                """)
    }

    @Test(
        "Ports are merged, and spread over matches of fifteen slots at most",
        arguments: [
            ("80,80", ["-m tcp --dport 80"]),
            ("81,80,82-90", ["-m tcp --dport 80:90"]),
            ("1-65535,7", ["-m tcp --dport 1:65535"]),
            ("20,10-15,12-17", ["-m multiport --dports 10:17,20"]),
            (
                "1,3,5,7,9,11,13,15,17,19,21,23,25,27-28,30",
                ["-m multiport --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27:28", "-m tcp --dport 30"]
            ),
            (
                "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29-30,40,42",
                ["-m multiport --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27", "-m multiport --dports 29:30,40,42"]
            ),
        ])
    func ports(_ ports: String, _ matches: [String]) throws {
        let ranges = try ports.split(separator: ",").map { try PortRange(parsing: String($0)) }
        let service = Service(
            name: "s", mark: try Mark(1), addresses: [try Prefix(parsing: "192.0.2.1")], ports: [.tcp: ranges], position: here)
        #expect(
            text(Planner.ruleset(for: Configuration(services: [service])))
                == "ipv4 mangle\n"
                + matches.map {
                    "-A FWMARKD-MARK -d 192.0.2.1/32 -p tcp \($0) "
                        + "-m comment --comment s -j MARK --set-xmark 0x1/0xffffffff\n"
                }.joined())
    }

    @Test("An address that another one of the service holds makes no rule, and all addresses are no match")
    func coveredAddresses() throws {
        let addresses = try ["192.0.2.7", "192.0.2.0/24", "192.0.2.0/24", "::/0", "2001:db8::1"].map { try Prefix(parsing: $0) }
        let service = Service(
            name: "s", mark: try Mark(1), addresses: addresses, ports: [.sctp: [PortRange(9)]],
            inInterface: try InterfacePattern(parsing: "+"), position: here)
        #expect(
            text(Planner.ruleset(for: Configuration(services: [service]))) == """
                ipv4 mangle
                -A FWMARKD-MARK -d 192.0.2.0/24 -p sctp -m sctp --dport 9 -m comment --comment s -j MARK --set-xmark 0x1/0xffffffff
                ipv6 mangle
                -A FWMARKD-MARK -p sctp -m sctp --dport 9 -m comment --comment s -j MARK --set-xmark 0x1/0xffffffff

                """)
    }

    @Test(
        "Destinations of a masquerade in the fewest rules that say it",
        arguments: [
            ([], ["NAT -j MASQUERADE"]),
            (["!10.0.0.0/8"], ["NAT ! -d 10.0.0.0/8 -j MASQUERADE"]),
            (["192.0.2.0/24", "198.51.100.7"], ["NAT -d 192.0.2.0/24 -j MASQUERADE", "NAT -d 198.51.100.7/32 -j MASQUERADE"]),
            (
                ["!10.0.0.0/8", "!172.16.0.0/12", "!10.1.0.0/16"],
                ["NAT -j FWMARKD-X-m", "X-m -d 10.0.0.0/8 -j RETURN", "X-m -d 172.16.0.0/12 -j RETURN", "X-m -j MASQUERADE"]
            ),
            (
                ["192.0.2.0/24", "!192.0.2.7", "203.0.113.0/24"],
                [
                    "NAT -j FWMARKD-X-m", "X-m -d 192.0.2.7/32 -j RETURN", "X-m -d 192.0.2.0/24 -j MASQUERADE",
                    "X-m -d 203.0.113.0/24 -j MASQUERADE",
                ]
            ),
            (["192.0.2.0/24", "!10.0.0.0/8"], ["NAT -d 192.0.2.0/24 -j MASQUERADE"]),
            (["10.1.0.0/16", "!10.0.0.0/8", "192.0.2.0/24"], ["NAT -d 192.0.2.0/24 -j MASQUERADE"]),
            (["10.1.0.0/16", "!10.0.0.0/8"], []),
            (["!0.0.0.0/0"], []),
            (["0.0.0.0/0"], ["NAT -j MASQUERADE"]),
            (["2001:db8::/32"], ["NAT -j MASQUERADE"]),
        ])
    func destinations(_ destinations: [String], _ expected: [String]) throws {
        let masquerade = Masquerade(
            name: "m", sources: [try Prefix(parsing: "0.0.0.0/0")],
            destinations: try destinations.map { try AddressMatch(parsing: $0) }, position: here)
        let rules = text(Planner.ruleset(for: Configuration(masquerades: [masquerade])))
            .replacing("-m comment --comment m ", with: "").replacing("-A FWMARKD-", with: "").split(separator: "\n").dropFirst()
        #expect(rules.map(String.init) == expected)
    }

    @Test("Translations stand in their order, those of ftp first, and a second one of the same packets is left out")
    func translations() throws {
        let network = try Prefix(parsing: "10.11.12.0/24")
        func ftp(_ name: String, _ to: SourceTranslation) throws -> FTPService {
            FTPService(
                name: name, mark: try Mark(21), addresses: [try Prefix(parsing: "203.0.113.10")],
                passivePorts: PortRange(1024, 2048),
                active: .init(realServers: [network], to: to), position: here)
        }
        let vip = try Address(parsing: "203.0.113.10")
        var ruleset = Planner.ruleset(
            for: Configuration(
                ftp: [try ftp("a", .address(vip)), try ftp("b", .masquerade)],
                masquerades: [
                    Masquerade(
                        name: "m", sources: [network, try Prefix(parsing: "fd00::/8")],
                        ports: [.udp: [PortRange(53), PortRange(123)]],
                        outInterface: try InterfacePattern(parsing: "eth+"), position: here)
                ]))
        ruleset.tables[TableID(.ipv4, .mangle)] = nil
        #expect(
            text(ruleset) == """
                ipv4 nat
                -A FWMARKD-NAT -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -m comment --comment a -j SNAT --to-source 203.0.113.10
                -A FWMARKD-NAT -s 10.11.12.0/24 -o eth+ -p udp -m multiport --sports 53,123 -m comment --comment m -j MASQUERADE
                ipv6 nat
                -A FWMARKD-NAT -s fd00::/8 -o eth+ -p udp -m multiport --sports 53,123 -m comment --comment m -j MASQUERADE

                """)
    }

    @Test("A name too long for a chain is replaced by a digest that does not change")
    func longNames() throws {
        let masquerade = Masquerade(
            name: "a-name-that-is-longer-than-any-chain-can-be", sources: [try Prefix(parsing: "10.0.0.0/8")],
            destinations: try ["!10.0.0.0/8", "!192.168.0.0/16"].map { try AddressMatch(parsing: $0) }, position: here)
        let chains = Planner.ruleset(for: Configuration(masquerades: [masquerade])).tables[TableID(.ipv4, .nat)] ?? []
        #expect(chains.map(\.name.text) == ["FWMARKD-NAT", "FWMARKD-Y-3590a6b4059391"])
    }

    @Test("Nothing wanted, nothing there")
    func nothing() { #expect(Planner.ruleset(for: Configuration()) == Ruleset()) }
}

let here = SourcePosition(file: "test.yaml", line: 1, column: 1)

/// The ruleset as iptables would be told it, table by table.
func text(_ ruleset: Ruleset) -> String {
    var text = ""
    for id in TableID.allCases {
        guard let chains = ruleset.tables[id] else { continue }
        text += "\(id)\n"
        for chain in chains { text += chain.rules.map { "-A \(chain.name) \($0.iptablesSyntax)\n" }.joined() }
    }
    return text
}
