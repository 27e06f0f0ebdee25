import ConfigurationFile
import Importer
import Netlink
import Rules
import Testing

@testable import Doctor

/// A machine that differs from the healthy one in one thing, and what the doctor is to say of it.
private struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let check: String
    /// The beginning of what was seen; nil: the check is to be silent.
    var seen: String?
    var severity = Severity.problem
    let change: @Sendable (inout Facts) throws -> Void
}

private let cases = [
    Case(testDescription: "no x_tables", check: "legacy-tables", seen: "the kernel does not know legacy x_tables") {
        $0.missing[.ipv4] = .known(["the kernel does not know legacy x_tables"])
    },
    Case(testDescription: "nothing is asked of a family without rules", check: "legacy-tables") { $0.missing[.ipv6] = nil },

    Case(
        testDescription: "an nftables chain that masquerades", check: "nft-rules",
        seen: "the nf_tables chain inet firewall postrouting masquerades (2 rules).", severity: .warning
    ) {
        $0.nftRules = .known(
            [1, 2].map { NftRule(family: "inet", table: "firewall", chain: "postrouting", handle: $0, action: .masquerade) })
    },
    Case(
        testDescription: "a mark set by iptables-nft", check: "nft-rules",
        seen: "the nf_tables chain ip mangle PREROUTING sets marks, made by iptables-nft (1 rule).", severity: .warning
    ) {
        $0.nftRules = .known([
            NftRule(family: "ip", table: "mangle", chain: "PREROUTING", handle: 3, action: .mark, isFromIptables: true)
        ])
    },
    Case(testDescription: "translations of other sources, as Docker makes them", check: "nft-rules") {
        let source = try Prefix(parsing: "172.17.0.0/16")
        $0.nftRules = .known([
            NftRule(family: "ip", table: "nat", chain: "POSTROUTING", handle: 1, action: .masquerade, source: source)
        ])
    },
    Case(testDescription: "translations in nftables where the file has none", check: "nft-rules") {
        $0.nftRules = .known([NftRule(family: "ip", table: "nat", chain: "out", handle: 1, action: .sourceNAT)])
        $0.configuration.ftp[0].active = nil
    },

    Case(
        testDescription: "no virtual service on a mark", check: "ipvs-service",
        seen: "IPVS has no virtual service on mark 80, which web sets."
    ) { $0.ipvs = .services([VirtualService(mark: 21, persistence: 300)]) },
    Case(testDescription: "virtual services on every mark", check: "ipvs-service") { _ in },

    Case(
        testDescription: "FTP without persistence", check: "ipvs-persistence",
        seen: "the virtual service on mark 21 (ftp) is not persistent."
    ) { $0.ipvs = .services([VirtualService(mark: 21), VirtualService(mark: 80, persistence: 1)]) },
    Case(
        testDescription: "two ports without persistence", check: "ipvs-persistence",
        seen: "the virtual service on mark 80 (web) is not persistent.", severity: .warning
    ) { $0.ipvs = .services([VirtualService(mark: 21, persistence: 1), VirtualService(mark: 80, scheduler: "sh")]) },
    Case(testDescription: "one port without persistence", check: "ipvs-persistence") {
        $0.ipvs = .services([VirtualService(mark: 21, persistence: 1), VirtualService(mark: 80)])
        $0.configuration.services[0].ports = [.tcp: [PortRange(443)]]
    },

    Case(
        testDescription: "a virtual service on a mark that nobody sets", check: "ipvs-orphan",
        seen: "IPVS has a virtual service on mark 22, and no rule sets that mark.", severity: .warning
    ) {
        $0.ipvs = .services([21, 22, 80].map { VirtualService(mark: $0, persistence: 1) })
    },
    Case(testDescription: "a mark that somebody else sets", check: "ipvs-orphan") {
        $0.ipvs = .services([21, 22, 80].map { VirtualService(mark: $0, persistence: 1) })
        $0.putLast(.mangle, "-A PREROUTING -s 192.0.2.0/24 -m conntrack --ctstate NEW -j MARK --set-xmark 0x16/0xffffffff")
    },
    Case(testDescription: "a mark that may come from a connection", check: "ipvs-orphan") {
        $0.ipvs = .services([21, 22, 80].map { VirtualService(mark: $0, persistence: 1) })
        $0.putLast(.mangle, "-A PREROUTING -j CONNMARK --restore-mark")
    },

    Case(testDescription: "no routing", check: "ip-forward", seen: "net.ipv4.ip_forward is 0.") {
        $0.settings["net.ipv4.ip_forward"] = "0"
    },
    Case(testDescription: "no IPv6 routing", check: "ip-forward", seen: "net.ipv6.conf.all.forwarding is 0.") {
        $0.settings["net.ipv6.conf.all.forwarding"] = "0"
    },
    Case(testDescription: "no IPv6 routing where nothing is IPv6", check: "ip-forward") {
        $0.settings["net.ipv6.conf.all.forwarding"] = "0"
        $0.configuration.services.removeAll()
    },

    Case(
        testDescription: "ip_vs_ftp beside pasv_address", check: "ip-vs-ftp",
        seen: "the module ip_vs_ftp is loaded, and /etc/vsftpd.conf has pasv_address=203.0.113.10, which is the VIP."
    ) { $0.modules.insert("ip_vs_ftp") },
    Case(testDescription: "ip_vs_ftp alone", check: "ip-vs-ftp") {
        $0.modules.insert("ip_vs_ftp")
        $0.vsftpd = VsftpdConfiguration(path: "/etc/vsftpd.conf", text: "listen=YES")
    },
    Case(testDescription: "ip_vs_ftp without FTP", check: "ip-vs-ftp") {
        $0.modules.insert("ip_vs_ftp")
        $0.configuration.ftp.removeAll()
    },

    Case(
        testDescription: "a translation of clients' connections without conntrack", check: "ipvs-conntrack",
        seen: "net.ipv4.vs.conntrack is 0, and the masquerade full-nat would translate clients' connections to real servers.",
        severity: .warning
    ) {
        $0.configuration = try configuration(
            healthyConfiguration + "\nmasquerade:\n  - {name: full-nat, sources: [0.0.0.0/0], destinations: [10.11.12.0/24]}\n")
    },
    Case(
        testDescription: "a foreign nat rule for IPVS", check: "ipvs-conntrack",
        seen: "net.ipv4.vs.conntrack is 0, and `iptables -t nat -A POSTROUTING -m ipvs --vaddr 203.0.113.20 -j MASQUERADE` would",
        severity: .warning
    ) { $0.putLast(.nat, "-A POSTROUTING -m ipvs --vaddr 203.0.113.20 -j MASQUERADE") },
    Case(testDescription: "the like with conntrack", check: "ipvs-conntrack") {
        $0.settings["net.ipv4.vs.conntrack"] = "1"
        $0.putLast(.nat, "-A POSTROUTING -m ipvs --vaddr 203.0.113.20 -j MASQUERADE")
    },
    Case(testDescription: "real servers' own way out", check: "ipvs-conntrack") {
        $0.configuration = try configuration(healthyConfiguration + "\nmasquerade:\n  - {name: out, sources: [10.11.12.0/24]}\n")
    },

    Case(
        testDescription: "another mark behind ours", check: "foreign-marks",
        seen:
            "`iptables -t mangle -A PREROUTING -i eth0 -j MARK --set-xmark 0x1/0xffffffff` also sets marks of packets of ftp and 1 more.",
        severity: .warning
    ) { $0.putLast(.mangle, "-A PREROUTING -i eth0 -j MARK --set-xmark 0x1/0xffffffff") },
    Case(
        testDescription: "a mark restored from the connection, in INPUT", check: "foreign-marks",
        seen: "`iptables -t mangle -A INPUT -d 203.0.113.10/32 -j CONNMARK --restore-mark` also sets marks of packets of ftp.",
        severity: .warning
    ) { $0.putLast(.mangle, "-A INPUT -d 203.0.113.10/32 -j CONNMARK --restore-mark") },
    Case(testDescription: "bits that are not ours", check: "foreign-marks") {
        $0.configuration = try configuration(
            "services: [{name: web, mark: 0x50/0xff, addresses: [203.0.113.20], tcp: [80, 443]}]")
        $0.putLast(.mangle, "-A PREROUTING -j MARK --set-xmark 0x100/0xff00")
    },
    Case(testDescription: "packets that are not ours", check: "foreign-marks") {
        $0.putLast(.mangle, "-A PREROUTING -d 203.0.113.10/32 -p udp -m udp --dport 53 -j MARK --set-xmark 0x1/0xffffffff")
    },

    Case(
        testDescription: "a routing rule for our mark", check: "routing-rules",
        seen: "the routing rule 100 asks for fwmark 0x15, which packets of ftp have, and sends them to the routing table 100.",
        severity: .warning
    ) {
        $0.routing = .known(
            RoutingState(rules: [MarkRoutingRule(family: .ipv4, priority: 100, mark: 21, mask: .max, table: 100)]))
    },
    Case(testDescription: "a routing rule that brings VIPs to the director", check: "routing-rules") {
        $0.routing = .known(
            RoutingState(
                rules: [MarkRoutingRule(family: .ipv4, priority: 100, mark: 21, mask: .max, table: 100)],
                defaults: [DefaultRoute(family: .ipv4, table: 100, isLocal: true, interface: 1, gateway: nil, metric: 0)]))
    },
    Case(testDescription: "a routing rule for another mark", check: "routing-rules") {
        $0.routing = .known(
            RoutingState(rules: [MarkRoutingRule(family: .ipv4, priority: 100, mark: 0x4000, mask: 0x4000, table: 100)]))
    },

    Case(
        testDescription: "a rule before ours that lets packets pass", check: "rules-before-ours",
        seen: "`iptables -t mangle -A PREROUTING -m conntrack --ctstate ESTABLISHED -j ACCEPT` stands before fwmarkd's jump",
        severity: .warning
    ) { $0.putFirst(.mangle, "-A PREROUTING -m conntrack --ctstate ESTABLISHED -j ACCEPT") },
    Case(
        testDescription: "a chain before ours that masquerades", check: "rules-before-ours",
        seen: "`iptables -t nat -A POSTROUTING -o eth0 -j OUT` stands before fwmarkd's jump and may end the way of packets of ftp.",
        severity: .warning
    ) { $0.putFirst(.nat, ":OUT - [0:0]\n-A POSTROUTING -o eth0 -j OUT\n-A OUT -s 10.0.0.0/8 -j MASQUERADE") },
    Case(testDescription: "rules before ours for other packets, and such that end nothing", check: "rules-before-ours") {
        $0.putFirst(.mangle, "-A PREROUTING -d 198.51.100.1/32 -j ACCEPT\n-A PREROUTING -j LOG\n-A PREROUTING -p udp -j DROP")
    },
    Case(testDescription: "rules behind ours", check: "rules-before-ours") { $0.putLast(.mangle, "-A PREROUTING -j ACCEPT") },

    Case(
        testDescription: "active data from another address than the VIP", check: "masquerade-address",
        seen: "active FTP of ftp leaves by eth0 with the source 203.0.113.2, while clients have called 203.0.113.10/32.",
        severity: .warning
    ) { $0.configuration.ftp[0].active?.to = .masquerade },
    Case(testDescription: "the VIP is the primary address", check: "masquerade-address") {
        $0.configuration.ftp[0].active?.to = .masquerade
        var routing = healthyRouting
        routing.addresses = [
            InterfaceAddress(interface: 2, name: "eth0", address: Address(ipv4: 0xcb00_710a), prefixLength: 24)
        ]
        $0.routing = .known(routing)
    },
    Case(testDescription: "source NAT to the VIP", check: "masquerade-address") { _ in },

    Case(
        testDescription: "other passive ports", check: "vsftpd-conf",
        seen: "/etc/vsftpd.conf has 10000-30000 for passive ports, ftp has passive-ports 10000-20000."
    ) { $0.change("pasv_max_port", to: "30000") },
    Case(
        testDescription: "fewer passive ports", check: "vsftpd-conf",
        seen: "/etc/vsftpd.conf has passive ports 10000-15000, ftp has 10000-20000.", severity: .warning
    ) { $0.change("pasv_max_port", to: "15000") },
    Case(
        testDescription: "no limits", check: "vsftpd-conf",
        seen: "/etc/vsftpd.conf has no limits for passive ports, ftp has passive-ports 10000-20000."
    ) { $0.vsftpd = VsftpdConfiguration(path: "/etc/vsftpd.conf", text: "connect_from_port_20=YES\npasv_address=203.0.113.10") },
    Case(testDescription: "no limits behind the widest range", check: "vsftpd-conf") {
        $0.vsftpd = VsftpdConfiguration(
            path: "/etc/vsftpd.conf", text: "connect_from_port_20=YES\npasv_address=203.0.113.10\npasv_min_port=1024")
        $0.configuration.ftp[0].passivePorts = PortRange(1024, 65535)
    },
    Case(
        testDescription: "another address", check: "vsftpd-conf",
        seen: "/etc/vsftpd.conf has pasv_address=203.0.113.11, which is no address of ftp."
    ) { $0.change("pasv_address", to: "203.0.113.11") },
    Case(testDescription: "no address", check: "vsftpd-conf", seen: "/etc/vsftpd.conf has no pasv_address.") {
        $0.change("pasv_address", to: nil)
    },
    Case(testDescription: "no address, which ip_vs_ftp puts in", check: "vsftpd-conf") {
        $0.change("pasv_address", to: nil)
        $0.modules.insert("ip_vs_ftp")
    },
    Case(testDescription: "a name that the server looks up", check: "vsftpd-conf") {
        $0.change("pasv_address", to: "ftp.example.org")
        $0.change("pasv_addr_resolve", to: "YES")
    },
    Case(
        testDescription: "active data from any port", check: "vsftpd-conf",
        seen: "/etc/vsftpd.conf does not have connect_from_port_20=YES."
    ) { $0.change("connect_from_port_20", to: "NO") },
    Case(
        testDescription: "active data from another port", check: "vsftpd-conf",
        seen: "/etc/vsftpd.conf has ftp_data_port=2020, ftp has data-port 20."
    ) { $0.change("ftp_data_port", to: "2020") },
    Case(testDescription: "no active data at all", check: "vsftpd-conf") {
        $0.change("connect_from_port_20", to: "NO")
        $0.change("port_enable", to: "NO")
    },
]

extension Facts {
    fileprivate mutating func change(_ setting: String, to value: String?) {
        guard let vsftpd else { return }
        var settings = vsftpd.settings
        settings[setting] = value
        self.vsftpd = VsftpdConfiguration(
            path: vsftpd.path, text: settings.map { "\($0)=\($1)\n" }.joined())
    }
}

@Suite("The doctor")
struct CheckTests {
    @Test("Says nothing where all is well")
    func healthyMachine() throws {
        let examination = Examination(of: try healthy())
        #expect(examination.findings == [])
        #expect(examination.notRun == [])
        #expect(!examination.hasProblems)
    }

    @Test("Says what it has to say, and no other check cries wolf", arguments: cases)
    fileprivate func each(_ sample: Case) throws {
        var facts = try healthy()
        try sample.change(&facts)
        let examination = Examination(of: facts)
        let own = examination.findings.filter { $0.check == sample.check }
        guard let seen = sample.seen else {
            #expect(own == [])
            return
        }
        #expect(own.count == 1)
        let finding = try #require(own.first)
        #expect(finding.seen.hasPrefix(seen), "\(finding.seen)")
        #expect(finding.severity == sample.severity)
        #expect(!finding.matters.isEmpty && !finding.advice.isEmpty)
        #expect(examination.hasProblems == (sample.severity == .problem))
        #expect(examination.findings.map(\.check) == [sample.check])
    }

    @Test("Each check has a case in which it speaks and one in which it is silent")
    func completeness() {
        for check in Examination.all {
            #expect(cases.contains { $0.check == check.name && $0.seen != nil }, "\(check.name)")
            #expect(cases.contains { $0.check == check.name && $0.seen == nil }, "\(check.name)")
        }
        #expect(Set(Examination.all.map { $0.name }).count == Examination.all.count)
    }

    @Test("A check that cannot run says so, and finds nothing")
    func notRun() throws {
        var facts = try healthy()
        facts.ipvs = .absent
        facts.routing = .unknown("reading the routing rules: Operation not permitted")
        facts.nftRules = .unknown("reading the rules of nf_tables: Operation not permitted")
        facts.rules = .unknown("opening a raw ipv4 socket: Operation not permitted")
        facts.settings = [:]
        facts.vsftpd = nil
        let examination = Examination(of: facts)
        #expect(examination.findings == [])
        let reasons = Dictionary(examination.notRun.map { ($0.check, $0.reason) }, uniquingKeysWith: { $0 + "; " + $1 })
        #expect(reasons["ipvs-service"] == "this kernel has no IPVS")
        #expect(reasons["ipvs-persistence"] == "this kernel has no IPVS")
        #expect(reasons["routing-rules"] == "reading the routing rules: Operation not permitted")
        #expect(reasons["nft-rules"] == "reading the rules of nf_tables: Operation not permitted")
        #expect(reasons["foreign-marks"] == "opening a raw ipv4 socket: Operation not permitted")
        #expect(reasons["ipvs-orphan"] == "opening a raw ipv4 socket: Operation not permitted")
        #expect(reasons["rules-before-ours"] == "opening a raw ipv4 socket: Operation not permitted")
        #expect(reasons["ip-forward"]?.contains("net.ipv4.ip_forward cannot be read") == true)
        #expect(reasons["vsftpd-conf"] == "the FTP servers' file was not given; --vsftpd-conf PATH")
    }

    @Test("The kernel's list of virtual services is read whole")
    func virtualServices() {
        let services = VirtualService.all(in: healthyIPVS)
        #expect(services.map(\.mark) == [21, 80, nil])
        #expect(services.map(\.persistence) == [300, 60, nil])
        #expect(services.map(\.scheduler) == ["rr", "wlc", "rr"])
        #expect(services[0].realServers.map(\.address.description) == ["10.11.12.2", "10.11.12.3"])
        #expect(services[1].realServers == [.init(address: Address(ipv6: 0x2001_0db8_0001 << 80 | 2), forwarding: "Masq")])
    }

    @Test("Of a vsftpd.conf the last of equal settings counts, and remarks do not")
    func vsftpdFile() {
        let file = VsftpdConfiguration(
            path: "f", text: "#pasv_min_port=1\npasv_min_port=2\nPASV_MIN_PORT=3 \r\nanonymous_enable=NO\nno sign\n")
        #expect(file.settings == ["pasv_min_port": "3", "anonymous_enable": "NO"])
    }
}
