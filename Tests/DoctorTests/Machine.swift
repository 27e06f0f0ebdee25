// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules
import Testing

@testable import Doctor

/// A director on which all is well.
let healthyConfiguration = """
    ftp:
      - name: ftp
        mark: 21
        addresses: [203.0.113.10]
        passive-ports: 10000-20000
        active: {real-servers: [10.11.12.0/24], to: 203.0.113.10}
    services:
      - name: web
        mark: 80
        addresses: [203.0.113.20, "2001:db8::20"]
        tcp: [80, 443]
    """

let healthyVsftpd = """
    # vsftpd behind the director
    listen=YES
    pasv_min_port=10000
    pasv_max_port=20000
    pasv_address=203.0.113.10
    connect_from_port_20=YES
    """

let healthyServices = [
    VirtualService(
        .ipv4, .mark(21), persistence: 300,
        realServers: [RealServer(Address(ipv4: 0x0a0b_0c02)), RealServer(Address(ipv4: 0x0a0b_0c03))]),
    VirtualService(
        .ipv4, .mark(80), persistence: 60,
        realServers: [RealServer(Address(ipv4: 0x0a0b_0c02)), RealServer(Address(ipv4: 0x0a0b_0c03))]),
    VirtualService(
        .ipv6, .mark(80), persistence: 60,
        realServers: [RealServer(Address(ipv6: 0x2001_0db8_0001 << 80 | 2)), RealServer(Address(ipv6: 0x2001_0db8_0001 << 80 | 3))]),
]

/// The addresses of a director whose VIP is not the primary one of its interface.
let healthyRouting = RoutingState(
    defaults: [
        DefaultRoute(
            family: .ipv4, table: 254, isLocal: false, interface: 2, gateway: Address(ipv4: 0xcb00_7101), metric: 0)
    ],
    addresses: [
        InterfaceAddress(interface: 1, name: "lo", address: Address(ipv4: 0x7f00_0001), prefixLength: 8, isGlobal: false),
        InterfaceAddress(interface: 2, name: "eth0", address: Address(ipv4: 0xcb00_7102), prefixLength: 24),
        InterfaceAddress(interface: 2, name: "eth0", address: Address(ipv4: 0xcb00_710a), prefixLength: 24, isSecondary: true),
    ])

func configuration(_ text: String) throws -> Configuration {
    try Configuration.load([ConfigurationText(path: "fwmarkd.yaml", bytes: Array(text.utf8))]).configuration
}

func serverFile(_ text: String, _ path: String = "/etc/vsftpd.conf") throws -> FTPServerFile {
    try #require(FTPServerFile(path: path, text: text))
}

/// The facts of the director on which all is well.
func healthy() throws -> Facts {
    var facts = Facts(try configuration(healthyConfiguration))
    facts.missing = [.ipv4: .known([]), .ipv6: .known([])]
    facts.firewall = .known(Firewall())
    for family in Family.allCases {
        facts.put(.mangle, [.prerouting: []], family: family)
        facts.put(.nat, [.postrouting: []], family: family)
        facts.put(.filter, [:], family: family)
    }
    facts.ipvs = .services(healthyServices)
    facts.settings = [
        "net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1", "net.ipv4.vs.conntrack": "0",
        "net.ipv4.vs.expire_quiescent_template": "0", "net.ipv4.conf.all.src_valid_mark": "0",
        "net.netfilter.nf_conntrack_count": "100", "net.netfilter.nf_conntrack_max": "262144",
    ]
    facts.modules = ["ip_vs", "ip_vs_rr"]
    facts.routing = .known(healthyRouting)
    facts.ftpServers = [try serverFile(healthyVsftpd)]
    return facts
}

extension Facts {
    /// Gives a table of x_tables these rules of other programs, before our jump or after it; the chains that they lead to as well.
    mutating func put(
        _ table: Table, _ rules: [Hook: [Rule]], dropping: Set<Hook> = [], family: Family = .ipv4, first: Bool = false,
        chains: [String: [Rule]] = [:]
    ) {
        let builtIn = table.hooks.map { hook in
            let jump = table.entries.first { $0.hook == hook && hook != .input && hook != .output }.map {
                Rule(target: .jump($0.chain))
            }
            let ours = jump.map { [$0] } ?? []
            let others = rules[hook] ?? []
            return FirewallChain(
                hook.chain, base: FirewallChain.Base(table, hook.chain, dropsAtEnd: dropping.contains(hook)),
                rules: (first ? others + ours : ours + others).map { FirewallRule($0) })
        }
        let others = chains.sorted { $0.key < $1.key }.map { name, rules in
            FirewallChain(ChainName(bytes: name.utf8), rules: rules.map { FirewallRule($0) })
        }
        let own = table.entries.map { FirewallChain($0.chain) }
        replace(FirewallTable(.legacy(table), family, builtIn + own + others))
    }

    /// Adds a table of nf_tables with one chain.
    mutating func putNft(
        _ name: String, _ hook: Hook, _ rules: [Rule], priority: Int = 0, dropsAtEnd: Bool = false, family: Family = .ipv4
    ) {
        replace(
            FirewallTable(
                .nftables(name), family,
                [
                    FirewallChain(
                        ChainName(bytes: "chain".utf8),
                        base: FirewallChain.Base(hook: hook, priority: priority, dropsAtEnd: dropsAtEnd),
                        rules: rules.map { FirewallRule($0, handle: 7) })
                ]))
    }

    private mutating func replace(_ table: FirewallTable) {
        guard case .known(var firewall) = firewall else { return }
        firewall.tables.removeAll { $0.origin == table.origin && $0.family == table.family }
        firewall.tables.append(table)
        self.firewall = .known(firewall)
    }

    /// The virtual services with one of them changed.
    mutating func change(_ mark: UInt32, _ family: Family = .ipv4, _ body: (inout VirtualService) -> Void) {
        guard case .services(var services) = ipvs else { return }
        for index in services.indices where services[index].mark == mark && services[index].family == family {
            body(&services[index])
        }
        ipvs = .services(services)
    }

    /// The FTP server's file with a line changed, or gone.
    mutating func changeVsftpd(_ setting: String, to value: String?) throws {
        let lines = healthyVsftpd.split(separator: "\n").filter { !$0.hasPrefix("\(setting)=") }.map(String.init)
        ftpServers = [try serverFile((lines + (value.map { ["\(setting)=\($0)"] } ?? [])).joined(separator: "\n"))]
    }
}

/// A rule in few words.
func rule(
    _ target: Target, from source: String? = nil, to destination: String? = nil, by interface: String? = nil,
    out: String? = nil, _ transport: TransportProtocol? = nil, port: ClosedRange<UInt16>? = nil, sourcePort: UInt16? = nil,
    when conditions: Condition...
) throws -> Rule {
    var match = RuleMatch(conditions: conditions)
    match.source = try source.map { try AddressMatch(parsing: $0) }
    match.destination = try destination.map { try AddressMatch(parsing: $0) }
    match.inInterface = try interface.map { InterfaceMatch(try InterfacePattern(parsing: $0)) }
    match.outInterface = try out.map { InterfaceMatch(try InterfacePattern(parsing: $0)) }
    match.transport = transport.map { ProtocolMatch($0) }
    if let port { match.conditions.append(.ports(PortMatch(.destination, [PortRange(port.lowerBound, port.upperBound)]))) }
    if let sourcePort { match.conditions.append(.ports(PortMatch(.source, [PortRange(sourcePort)]))) }
    return Rule(match, target: target)
}

/// A target or match that the program cannot express.
func other(_ name: String) -> ExtensionBytes { ExtensionBytes(name: name, revision: 0, bytes: []) }

func chain(_ name: String) -> ChainName { ChainName(bytes: name.utf8) }

let established = Condition.connectionState([.established, .related], isInverted: false)

func bearing(_ value: UInt32, _ mask: UInt32 = .max, isInverted: Bool = false) -> Condition {
    .mark(MarkMatch(value: value, mask: mask, isInverted: isInverted))
}
