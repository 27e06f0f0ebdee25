// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

/// The kernel must have the legacy x_tables, with the tables, matches and targets that our rules need.
enum LegacyTables: Check {
    static let name = "legacy-tables"

    static func examine(_ facts: Facts) -> CheckResult {
        var verdict = CheckResult()
        for family in Family.allCases {
            switch facts.missing[family] {
            case nil, .known([]): break
            case .known(let missing):
                verdict.findings += missing.map { sentence in
                    finding(
                        .problem, sentence,
                        "fwmarkd's rules for \(family) cannot be put into the kernel; the kernel refuses a table as a whole.",
                        "modprobe -a \(modules(family)) xt_mark xt_tcpudp xt_multiport xt_comment xt_nat xt_MASQUERADE")
                }
            case .unknown(let reason): verdict.notRun.append("\(family): \(reason)")
            }
        }
        return verdict
    }

    /// The modules of the family's tables.
    private static func modules(_ family: Family) -> String {
        switch family {
        case .ipv4: "ip_tables iptable_mangle iptable_nat"
        case .ipv6: "ip6_tables ip6table_mangle ip6table_nat"
        }
    }
}

/// A director passes packets on, where real servers are reached by NAT.
enum IPForward: Check {
    static let name = "ip-forward"

    static func examine(_ facts: Facts) -> CheckResult {
        var verdict = CheckResult()
        for (family, setting) in [(Family.ipv4, "net.ipv4.ip_forward"), (.ipv6, "net.ipv6.conf.all.forwarding")]
        where facts.forwards(family) {
            verdict.add(
                finding(
                    .problem, "\(setting) is 0.",
                    "The director drops what real servers answer and the connections that they open: it does not route.",
                    "sysctl -w \(setting)=1", "echo '\(setting) = 1' > /etc/sysctl.d/60-fwmarkd-\(name)-\(family).conf"),
                ifZero: setting, in: facts)
        }
        return verdict
    }
}

/// A full connection tracking table drops packets of new connections.
enum ConntrackTable: Check {
    static let name = "conntrack-table"

    static func examine(_ facts: Facts) -> CheckResult {
        guard let count = facts.settings["net.netfilter.nf_conntrack_count"].flatMap({ Int($0) }),
            let limit = facts.settings["net.netfilter.nf_conntrack_max"].flatMap({ Int($0) }), limit > 0, count >= limit / 10 * 9
        else { return .silent }
        let larger = limit.multipliedReportingOverflow(by: 2)
        return .found([
            Finding(
                check: name, severity: .warning, seen: "the connection tracking table has \(count) of at most \(limit) entries.",
                matters:
                    "When it is full, the kernel drops the packets of new connections (\"nf_conntrack: table full\" in its log).",
                advice: setting("net.netfilter.nf_conntrack_max", "\(larger.overflow ? limit : larger.partialValue)"))
        ])
    }
}

/// Where the virtual address is not on the director, policy routing brings marked packets to it.
enum AbsentAddresses: Check {
    static let name = "vip-not-local"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.routing.judge { routing in
            var verdict = CheckResult()
            for (service, families, _) in facts.marked {
                for family in families where routing.makesLocal(service.mark.value, family) {
                    let absent = service.addresses.included.contains { prefix in
                        prefix.family == family && !routing.addresses.contains { prefix.contains($0.address) }
                    }
                    guard absent else { continue }
                    if family == .ipv4 { verdict.findings += markedReversePath(facts, service) }
                    let hasPorts = [TransportProtocol.udp, .sctp].contains { transport in
                        !service.traffic[transport].isEmpty && service.traffic[transport] != [.all]
                    }
                    guard hasPorts, !facts.tracksConnections(family) else { continue }
                    verdict.findings.append(
                        finding(
                            .warning, "nothing puts fragments of \(service.name) together before they are marked.",
                            "The virtual address is not on this machine: only a mark makes a packet local, and fragments other than the first have "
                                + "no port to be matched by. They are lost.",
                            "write into \(facts.file(of: service.name)), entry \(service.name): `udp: any`",
                            "\(family.command)-legacy -t raw -A PREROUTING -m conntrack --ctstate INVALID,NEW,ESTABLISHED"))
                }
            }
            return verdict
        }
    }

    private static func markedReversePath(_ facts: Facts, _ service: Service) -> [Finding] {
        let settings = facts.settings.filter { $0.key.hasSuffix(".src_valid_mark") && $0.value != "0" }.keys.sorted()
        guard !settings.isEmpty else { return [] }
        return [
            Finding(
                check: name, severity: .problem,
                seen:
                    "\(settings.joined(separator: " and ")) is 1, and the virtual address of \(service.name) is not on this machine.",
                matters:
                    "The route back to the client is then looked up with the packet's mark, which leads to this machine itself: the kernel "
                    + "drops the packets as coming from an impossible source.",
                advice: settings.map { "sysctl -w \($0)=0" })
        ]
    }
}

extension RoutingState {
    /// Whether packets with the mark are sent to this machine itself, whatever their destination.
    func makesLocal(_ mark: UInt32, _ family: Family) -> Bool {
        rules.contains { rule in
            rule.family == family && rule.matches(mark)
                && defaults.contains { $0.family == family && $0.table == rule.table && $0.isLocal }
        }
    }
}

extension Facts {
    /// Whether packets of the family are passed on: where a real server is reached by NAT, or a translation is asked for.
    func forwards(_ family: Family) -> Bool {
        let byNAT = marked.contains { service, families, ftp in
            guard families.contains(family) else { return false }
            let methods = (virtualService(service.mark, family)?.realServers ?? []).map(\.forwarding)
            return methods.isEmpty ? ftp?.forwarding == .nat : methods.contains(.nat)
        }
        return byNAT
            || configuration.masquerades.contains { $0.to != .unchanged && $0.sources.included.contains { $0.family == family } }
    }

    /// Whether some rule has the kernel track connections, which also puts fragments together.
    func tracksConnections(_ family: Family) -> Bool {
        let ours = configuration.allMasquerades.contains { masquerade in
            masquerade.sources.included.isEmpty || masquerade.sources.included.contains { $0.family == family }
        }
        if ours { return true }
        guard case .known(let firewall) = firewall else { return true }
        return firewall.tables.contains { table in
            table.family == family && table.chains.contains { $0.rules.contains { $0.rule.tracksConnections } }
        }
    }
}

extension Rule {
    /// Whether the rule needs connection tracking.
    fileprivate var tracksConnections: Bool {
        let asks = match.conditions.contains { condition in
            switch condition {
            case .connectionState, .connectionMark: true
            case .other(let bytes): ["conntrack", "connmark", "helper", "connbytes", "connlimit", "connlabel"].contains(bytes.name)
            default: false
            }
        }
        if asks || target.effect == .translate { return true }
        switch target {
        case .connectionMark, .helper: return true
        default: return false
        }
    }
}
