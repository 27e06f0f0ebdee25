// SPDX-License-Identifier: GPL-2.0-or-later
import NamespaceSupport
import Rules
import Testing

@testable import Netlink

/// Rules as nft takes them, and as packets meet them.
private let rules: [(rule: String, text: [String])] = [
    ("ip saddr 10.0.0.0/8 tcp dport 21 drop", ["-s 10.0.0.0/8 -p tcp -m tcp --dport 21 -j DROP"]),
    ("ip6 daddr 2001:db8::/33 accept", ["-d 2001:db8::/33 -j ACCEPT"]),
    ("iifname \"eth0\" oifname != \"ppp*\" drop", ["-i eth0 ! -o ppp+ -j DROP"]),
    (
        "tcp dport { 80, 443, 8000-8999 } accept",
        [
            "-p tcp -m tcp --dport 80 -j ACCEPT", "-p tcp -m tcp --dport 443 -j ACCEPT",
            "-p tcp -m tcp --dport 8000:8999 -j ACCEPT",
        ]
    ),
    ("udp dport != { 53, 123 } drop", ["-p udp -m udp ! --dport 53 -m udp ! --dport 123 -j DROP"]),
    ("ct status dnat accept", ["-m conntrack --ctstate DNAT -j ACCEPT"]),
    ("ct status & (snat | dnat) == 0 drop", ["-m conntrack ! --ctstate SNAT,DNAT -j DROP"]),
    ("ct state established,related accept", ["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]),
    (
        "ct state vmap { established : accept, invalid : drop }",
        [
            "-m conntrack --ctstate INVALID -j DROP", "-m conntrack --ctstate ESTABLISHED -j ACCEPT",
        ]
    ),
    ("meta mark & 0x8000 == 0x8000 drop", ["-m mark --mark 0x8000/0x8000 -j DROP"]),
    ("meta mark set 0x15", ["-j MARK --set-xmark 0x15/0xffffffff"]),
    ("meta mark set meta mark and 0xffffff00 or 0x50 accept", ["-j MARK --set-xmark 0x50/0xff", "-j ACCEPT"]),
    ("meta mark set ct mark", ["-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff"]),
    ("ct mark set meta mark", ["-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"]),
    (
        "ip daddr 203.0.113.10-203.0.113.12 counter reject",
        ["-m iprange --dst-range 203.0.113.10-255.255.255.255 -m iprange --dst-range 0.0.0.0-203.0.113.12 -j REJECT"]
    ),
    ("fib daddr type local accept", ["-m addrtype --dst-type LOCAL -j ACCEPT"]),
    ("meta l4proto sctp counter packets 0 bytes 0 jump other", ["-p sctp -j other"]),
    ("limit rate 5/second accept", ["[nft limit] -j ACCEPT"]),
]

@Suite("Rules of nf_tables", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct NftTableTests {
    @Test("Rules are read in the words of Rules, or as unknown")
    func words() async throws {
        try await NetworkNamespace.run { namespace in
            #expect(try NftTable.readAll() == [])
            let lines = rules.map { "        \($0.rule)" }.joined(separator: "\n")
            try namespace.run(
                "nft", "-f", "-",
                input: """
                    table inet firewall {
                        chain other { }
                        chain in {
                            type filter hook input priority -5; policy drop;
                    \(lines)
                        }
                    }
                    """)
            let tables = try NftTable.readAll()
            #expect(tables.map { "\($0.family) \($0.name)" } == ["ipv4 inet firewall", "ipv6 inet firewall"])
            for table in tables {
                let chain = try #require(table.chains.first { $0.name == "in" })
                #expect(chain.base == NftChain.Base(.input, priority: -5, dropsAtEnd: true))
                #expect(table.baseChains(.input).map(\.name) == ["in"])
                // What is in a header of the other family is never met.
                let met = rules.filter { !$0.rule.hasPrefix(table.family == .ipv4 ? "ip6 " : "ip ") }
                #expect(chain.rules.map(\.rule.iptablesSyntax) == met.flatMap(\.text))
                #expect(chain.rules.allSatisfy { $0.handle > 0 && !$0.isFromIptables })
            }
        }
    }

    @Test("Rules of iptables-nft are read, their extensions as bytes")
    func iptables() async throws {
        try await NetworkNamespace.run { namespace in
            try namespace.run(
                "iptables-nft", "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "-d", "203.0.113.10", "--dport", "21", "-m",
                "comment", "--comment", "typed", "-j", "MARK", "--set-mark", "21")
            let table = try #require(try NftTable.readAll().first { $0.name == "ip mangle" })
            let chain = try #require(table.baseChains(.prerouting).first)
            #expect(chain.base?.priority == -150)
            let rule = try #require(chain.rules.first)
            #expect(rule.isFromIptables)
            #expect(rule.rule.comment == "typed")
            #expect(rule.rule.match.destination?.prefix.description == "203.0.113.10/32")
            #expect(rule.rule.match.transport == ProtocolMatch(.tcp))
            guard case .other(let target) = rule.rule.target else {
                Issue.record("\(rule.rule.target)")
                return
            }
            #expect(target.name == "MARK" && target.revision == 2 && target.bytes.prefix(4) == u32(21)[...])
        }
    }
}
