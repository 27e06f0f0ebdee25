// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

/// nat rules that connections of IPVS would need do not see them while `net.ipv4.vs.conntrack` is 0.
enum IPVSConntrack: Check {
    static let name = "ipvs-conntrack"
    private static let setting = "net.ipv4.vs.conntrack"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.judgeIPVS { services in
            guard facts.settings[setting] == "0" else { return .silent }
            let servers = services.flatMap(\.realServers).filter { $0.forwarding == .nat }.map(\.address)
            var needed: [String] = []
            var useful: [String] = []
            for masquerade in facts.configuration.masquerades where masquerade.to != .unchanged {
                if !masquerade.services.isEmpty {
                    needed.append(
                        "the masquerade \(masquerade.name) translates packets of \(masquerade.services.joined(separator: ", "))")
                } else if isHairpin(masquerade, servers) {
                    needed.append(
                        "the masquerade \(masquerade.name) translates real servers' own connections to the virtual address")
                } else if translatesClients(masquerade, servers) {
                    useful.append("the masquerade \(masquerade.name) translates clients' connections to real servers")
                }
            }
            if case .known(let firewall) = facts.firewall { useful += foreignRules(firewall) }
            var verdict = CheckResult()
            for (severity, culprits) in [(Severity.problem, needed), (.warning, useful)] where !culprits.isEmpty {
                verdict.findings.append(
                    Finding(
                        check: name, severity: severity, seen: "\(setting) is 0, and \(culprits.joined(separator: "; ")).",
                        matters: severity == .problem
                            ? "Connections that IPVS handles do not come to the nat table then: they time out."
                            : "Connections that IPVS handles do not come to the nat table then: real servers see clients' own addresses.",
                        advice: self.setting(setting, "1")))
            }
            return verdict
        }
    }

    private static func has(_ selection: Selection<Prefix>, _ server: Address) -> Bool {
        selection.included.contains { $0.contains(server) } && !selection.excluded.contains { $0.contains(server) }
    }

    private static func isHairpin(_ masquerade: Masquerade, _ servers: [Address]) -> Bool {
        servers.contains { has(masquerade.sources, $0) } && servers.contains { has(masquerade.destinations, $0) }
            && masquerade.sources.included.allSatisfy { $0.length > 0 }
    }

    /// Whether its packets are those of strangers to real servers.
    private static func translatesClients(_ masquerade: Masquerade, _ servers: [Address]) -> Bool {
        let isForAll = masquerade.sources.included.isEmpty || masquerade.sources.included.contains { $0.length == 0 }
        return isForAll && masquerade.sourceTraffic.isEmpty && servers.contains { has(masquerade.destinations, $0) }
    }

    private static func foreignRules(_ firewall: Firewall) -> [String] {
        var found: [String] = []
        for family in Family.allCases {
            for (table, chain) in firewall.baseChains(family, .postrouting) {
                for rule in ReachedRule.all(in: table, from: chain) where rule.rule.target.effect == .translate {
                    let asksIPVS = rule.rule.match.conditions.contains { condition in
                        if case .other(let bytes) = condition { bytes.name == "ipvs" } else { false }
                    }
                    if asksIPVS { found.append("\(table.text(rule.chain, rule.number)) asks for IPVS' connections") }
                }
            }
        }
        return found
    }
}

/// `to: virtual-address` finds the address by connection tracking, with its FTP helper.
enum VirtualAddressTracking: Check {
    static let name = "virtual-address"

    static func examine(_ facts: Facts) -> CheckResult {
        guard let ftp = facts.configuration.ftp.first(where: \.followsConnections) else { return .silent }
        var verdict = CheckResult()
        let setting = "net.ipv4.vs.conntrack"
        // Without IPVS there is no such setting.
        if facts.ipvs != .absent || facts.settings[setting] != nil {
            verdict.add(
                Finding(
                    check: name, severity: .problem, seen: "\(setting) is 0, and \(ftp.name) has active: to: virtual-address.",
                    matters:
                        "Control connections are not tracked then, so data connections do not inherit their mark and are not translated.",
                    advice: self.setting(setting, "1")), ifZero: setting, in: facts)
        }
        if !facts.modules.contains("nf_conntrack_ftp") {
            verdict.findings.append(
                finding(
                    .problem, "the module nf_conntrack_ftp is not loaded, and \(ftp.name) has active: to: virtual-address.",
                    "Nothing reads from control connections which data connections belong to them.", "modprobe nf_conntrack_ftp",
                    "echo nf_conntrack_ftp > /etc/modules-load.d/fwmarkd-ftp.conf"))
        }
        return verdict
    }
}

/// Active data that come from another address than the one that the client has called.
enum MasqueradeAddress: Check {
    static let name = "masquerade-address"

    static func examine(_ facts: Facts) -> CheckResult {
        let services = facts.configuration.ftp.filter { $0.forwarding == .nat && $0.active?.to == .masquerade }
        guard !services.isEmpty else { return .silent }
        return facts.routing.judge { routing in
            var verdict = CheckResult()
            for service in services {
                for family in Family.allCases {
                    let addresses = service.addresses.filter { $0.family == family }
                    guard !addresses.isEmpty, service.active?.realServers.contains(where: { $0.family == family }) == true else {
                        continue
                    }
                    guard let primary = routing.masqueradeAddress(family) else {
                        verdict.notRun.append("no \(family.name) default route says where clients of \(service.name) are")
                        continue
                    }
                    guard !addresses.contains(where: { $0.contains(primary.address) }) else { continue }
                    let cure =
                        addresses.count == 1 && addresses[0].length == family.bitWidth
                        ? "\(addresses[0].address)" : "virtual-address"
                    verdict.findings.append(
                        finding(
                            .warning,
                            "active FTP of \(service.name) leaves by \(primary.name) with the source \(primary.address), while clients have called "
                                + "\(addresses[0]).",
                            "Clients that compare the two (lftp), and firewalls before them, refuse the data connection.",
                            "write into \(facts.file(of: service.name)), entry \(service.name), below active: `to: \(cure)`"))
                }
            }
            return verdict
        }
    }
}
