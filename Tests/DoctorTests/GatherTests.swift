import NamespaceSupport
import ConfigurationFile
import Foundation
import Importer
import Netlink
import Rules
import Testing

@testable import Doctor

@Suite("The facts, gathered in a namespace", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct GatherTests {
    @Test("Routing rules, routes and addresses are what ip shows")
    func routing() async throws {
        try await NetworkNamespace.run { namespace in
            for line in [
                "link set lo up", "link add eth7 type veth peer name eth8", "address add 203.0.113.2/24 dev eth7",
                "address add 203.0.113.10/24 dev eth7", "address add 2001:db8::2/64 dev eth7 nodad", "link set eth7 up",
                "link set eth8 up", "route add default via 203.0.113.1 metric 7", "rule add fwmark 21 lookup 100",
                "rule add fwmark 0x100/0xff00 lookup 101 priority 55", "-6 rule add fwmark 80 blackhole",
                "route add local default dev lo table 100",
            ] {
                var words = line.split(separator: " ").map(String.init)
                words.insert("ip", at: 0)
                try namespace.run(words)
            }
            let state = try RoutingState.read()
            let rules = state.rules.map { "\($0.family) \($0.mark) \($0.mask) \($0.table)" }
            #expect(rules.sorted() == ["ipv4 21 4294967295 100", "ipv4 256 65280 101", "ipv6 80 4294967295 0"])
            #expect(state.rules.first { $0.mark == 256 }?.priority == 55)
            let main = try #require(state.defaults.first { $0.table == 254 })
            #expect(main.gateway?.description == "203.0.113.1" && main.metric == 7 && !main.isLocal)
            #expect(state.defaults.contains { $0.table == 100 && $0.isLocal })
            let own = state.addresses.filter { $0.name == "eth7" && $0.address.family == .ipv4 }
            #expect(own.map(\.address.description) == ["203.0.113.2", "203.0.113.10"])
            #expect(own.map(\.isSecondary) == [false, true])
            #expect(state.masqueradeAddress(.ipv4)?.address.description == "203.0.113.2")
            #expect(state.masqueradeAddress(.ipv6) == nil)
        }
    }

    @Test("Rules of nf_tables that mark or translate are found, also those of iptables-nft, and no others")
    func nftables() async throws {
        try await NetworkNamespace.run { namespace in
            #expect(try NftRule.read() == [])
            try namespace.run(
                "nft", "-f", "-",
                input: """
                    table inet firewall {
                        chain out {
                            type nat hook postrouting priority 100
                            ip saddr 10.0.0.0/8 masquerade
                            ip saddr 192.0.2.0/25 snat ip to 203.0.113.1
                        }
                        chain pre {
                            type filter hook prerouting priority -150
                            meta mark 7 accept
                            ip6 daddr 2001:db8::/33 tcp dport 80 meta mark set 5
                            ct mark set mark
                        }
                        chain in {
                            type nat hook prerouting priority -100
                            tcp dport 8080 dnat ip to 10.0.0.1
                        }
                    }
                    """)
            try namespace.run(
                "iptables-nft", "-t", "mangle", "-A", "PREROUTING", "-p", "udp", "-d", "203.0.113.10", "-j", "MARK", "--set-mark",
                "3")
            let rules = try NftRule.read()
            let found = rules.map { "\($0.family) \($0.table) \($0.chain) \($0.action)\($0.isFromIptables ? " iptables" : "")" }
            #expect(
                found.sorted() == [
                    "inet firewall out masquerade", "inet firewall out sourceNAT", "inet firewall pre mark",
                    "ip mangle PREROUTING mark iptables",
                ])
            #expect(rules.allSatisfy { $0.handle > 0 })
            #expect(rules.first { $0.action == .masquerade }?.source?.description == "10.0.0.0/8")
            #expect(rules.first { $0.action == .sourceNAT }?.source?.description == "192.0.2.0/25")
            #expect(rules.first { $0.isFromIptables }?.destination?.description == "203.0.113.10/32")
            #expect(rules.first { $0.chain == "pre" }?.destination?.description == "2001:db8::/33")
        }
    }

    @Test("Looking changes nothing: no table is made, and none is needed")
    func changesNothing() async throws {
        try await NetworkNamespace.run { namespace in
            let configuration = try configuration(healthyConfiguration)
            let facts = try Facts.gather(configuration, vsftpdPath: nil)
            let names =
                try String(contentsOfFile: "/proc/thread-self/net/ip_tables_names", encoding: .utf8)
                + String(contentsOfFile: "/proc/thread-self/net/ip6_tables_names", encoding: .utf8)
            #expect(names == "")
            #expect(facts.settings["net.ipv4.ip_forward"] != nil)
            guard case .known(let missing)? = facts.missing[.ipv4], case .known(let rules) = facts.rules else {
                Issue.record("\(facts.missing), \(facts.rules)")
                return
            }
            #expect(missing == [] && rules.tables.isEmpty)
            // A namespace of its own begins with nobody in it.
            let examination = Examination(of: facts)
            #expect(!examination.findings.contains { ["nft-rules", "foreign-marks", "routing-rules"].contains($0.check) })
        }
    }

    @Test("Rules of others stand in findings as iptables-legacy prints them")
    func foreignRules() async throws {
        try await NetworkNamespace.run { namespace in
            let rule =
                "-d 203.0.113.0/24 -p tcp -m conntrack --ctstate NEW -m statistic --mode nth --every 2 --packet 0 -j MARK --set-xmark 0x7/0xff"
            try namespace.run("iptables-legacy-restore", input: "*mangle\n-A PREROUTING \(rule)\nCOMMIT\n")
            let facts = try Facts.gather(try configuration(healthyConfiguration), vsftpdPath: nil)
            let finding = try #require(Examination(of: facts).findings.first { $0.check == "foreign-marks" })
            #expect(finding.seen == "`iptables -t mangle -A PREROUTING \(rule)` also sets marks of packets of ftp and 1 more.")
        }
    }

    @Test("A vsftpd.conf that is not there is an error")
    func absentFile() throws {
        let error = #expect(throws: Facts.UnreadableFile.self) {
            try Facts.gather(Configuration(), vsftpdPath: "/nonexistent/vsftpd.conf")
        }
        #expect(error?.description == "reading /nonexistent/vsftpd.conf: No such file or directory")
    }
}
