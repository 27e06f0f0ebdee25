// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

/// Without IPVS marks lead nowhere.
enum IPVSPresence: Check {
    static let name = "ipvs-absent"

    static func examine(_ facts: Facts) -> CheckResult {
        guard facts.ipvs == .absent, !facts.configuration.allServices.isEmpty else { return .silent }
        return .found([
            finding(
                .problem, "this kernel has no IPVS: the module ip_vs is neither loaded nor installed.",
                "Packets are marked, and nothing sends them to real servers.",
                "apt-get install linux-image-amd64    # or the kernel of your system that has ip_vs", "modprobe ip_vs")
        ])
    }
}

/// A mark that no virtual service is for leads nowhere. IPVS keeps the services on one mark apart by family.
enum VirtualServices: Check {
    static let name = "ipvs-service"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.judgeIPVS { _ in
            var verdict = CheckResult()
            for (service, families, ftp) in facts.marked {
                let missing = families.filter { facts.virtualService(service.mark, $0) == nil }
                for family in missing {
                    // A service that names no address has only the families that have a virtual service.
                    if service.addresses.included.isEmpty, missing.count < families.count { continue }
                    let method = ["direct": "-g", "tunnel": "-i"][ftp?.forwarding.rawValue ?? ""] ?? "-m"
                    verdict.findings.append(
                        finding(
                            .problem,
                            "IPVS has no virtual service on mark \(service.mark.value) for \(family.name), which \(service.name) sets.",
                            "Packets of \(service.name) are marked and then go to the director itself, which refuses or does not answer them.",
                            "ipvsadm -A -f \(service.mark.value)\(family.option) -s rr -p 300",
                            "ipvsadm -a -f \(service.mark.value)\(family.option) -r REAL-SERVER \(method)"))
                }
            }
            return verdict
        }
    }
}

/// Without persistence the connections of one client are spread over the real servers.
enum Persistence: Check {
    static let name = "ipvs-persistence"
    /// Schedulers that choose by the client's address.
    private static let keepers: Set<String> = ["sh", "mh"]

    static func examine(_ facts: Facts) -> CheckResult {
        facts.judgeIPVS { _ in
            var verdict = CheckResult()
            for (service, family, ftp, found) in facts.served
            where service.hasSeveralPorts && found.persistence == nil && !keepers.contains(found.scheduler)
                && found.realServers.count != 1
            {
                verdict.findings.append(
                    finding(
                        ftp != nil ? .problem : .warning,
                        "the virtual service on mark \(service.mark.value) for \(family.name) (\(service.name)) is not persistent.",
                        ftp != nil
                            ? "A client's data connection then comes to another real server than its control connection, and is refused."
                            : "A client's connections to the different ports of \(service.name) may come to different real servers.",
                        "ipvsadm -E -f \(service.mark.value)\(family.option) -s \(found.scheduler) -p 300"))
            }
            return verdict
        }
    }
}

/// A virtual service on a mark that no rule sets gets no packet.
enum OrphanVirtualServices: Check {
    static let name = "ipvs-orphan"

    static func examine(_ facts: Facts) -> CheckResult {
        guard case .services(let services) = facts.ipvs else { return .silent }
        return facts.firewall.judge { firewall in
            let own = facts.marked.flatMap { entry in entry.families.map { Key(family: $0, mark: entry.service.mark.value) } }
            var marks = Set(own)
            var operations: Set<MarkOperation> = []
            for table in firewall.tables {
                for chain in table.chains where !chain.id.isOurs {
                    for rule in chain.rules where rule.rule.target.effect == .mark {
                        // A mark that is computed or restored can be any.
                        guard case .mark(let operation) = rule.rule.target else { return .silent }
                        marks.insert(Key(family: table.family, mark: operation.value))
                        operations.insert(operation)
                    }
                }
            }
            // What it makes of a mark of ours.
            for operation in operations {
                for key in own { marks.insert(Key(family: key.family, mark: operation.applied(to: key.mark))) }
            }
            var verdict = CheckResult()
            for service in services {
                guard let mark = service.mark, !marks.contains(Key(family: service.family, mark: mark)) else { continue }
                verdict.findings.append(
                    finding(
                        .warning,
                        "IPVS has a virtual service on mark \(mark) for \(service.family.name), and no rule sets that mark.",
                        "It never sees a packet. Was the mark changed in one of the two places only?",
                        "ipvsadm -L -f \(mark)\(service.family.option) -n", "ipvsadm -D -f \(mark)\(service.family.option)"))
            }
            return verdict
        }
    }

    private struct Key: Hashable {
        let family: Family
        let mark: UInt32
    }
}

/// A virtual service without a real server that takes connections refuses all of them.
enum RealServers: Check {
    static let name = "ipvs-real-servers"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.judgeIPVS { _ in
            var verdict = CheckResult()
            for (service, family, _, found) in facts.served where found.realServers.allSatisfy({ $0.weight == 0 }) {
                let place = "the virtual service on mark \(service.mark.value) for \(family.name) (\(service.name))"
                let mark = "\(service.mark.value)\(family.option)"
                if let first = found.realServers.first {
                    verdict.findings.append(
                        finding(
                            .problem, "all real servers of \(place) have weight 0.",
                            "New connections are refused. A health checker that found every server down leaves it so.",
                            "ipvsadm -e -f \(mark) -r \(first.text) -w 1 \(first.forwarding.option)"))
                } else {
                    verdict.findings.append(
                        finding(
                            .problem, "\(place) has no real servers.",
                            "New connections are refused. A health checker that found every server down leaves it so.",
                            "ipvsadm -a -f \(mark) -r REAL-SERVER -m"))
                }
            }
            return verdict
        }
    }
}

/// Persistent clients stay with a real server of weight 0.
enum QuiescentServers: Check {
    static let name = "ipvs-quiescent"
    private static let setting = "net.ipv4.vs.expire_quiescent_template"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.judgeIPVS { _ in
            guard facts.settings[setting] == "0" else { return .silent }
            for (service, _, _, found) in facts.served where found.persistence != nil {
                guard let server = found.realServers.first(where: { $0.weight == 0 }),
                    found.realServers.contains(where: { $0.weight != 0 })
                else { continue }
                return .found([
                    Finding(
                        check: name, severity: .warning,
                        seen:
                            "\(setting) is 0, and the real server \(server.address) of mark \(service.mark.value) (\(service.name)) has "
                            + "weight 0.",
                        matters: "Clients that persistence has bound to it stay with it, dead or not, until their time is over.",
                        advice: self.setting(setting, "1"))
                ])
            }
            return .silent
        }
    }
}

/// IPVS must forward as the entry of the file expects.
enum ForwardingMethods: Check {
    static let name = "ipvs-forwarding"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.judgeIPVS { _ in
            var verdict = CheckResult()
            for (service, family, ftp, found) in facts.served {
                guard let ftp else { continue }
                let other = found.realServers.filter { ![ftp.method, .local, .other].contains($0.forwarding) }
                guard let first = other.first else { continue }
                verdict.findings.append(
                    finding(
                        .problem,
                        "\(service.name) has forwarding: \(ftp.forwarding.rawValue), and IPVS sends packets to \(first.address) by "
                            + "\(first.forwarding.rawValue)\(other.count > 1 ? " (and to \(other.count - 1) more)" : "").",
                        "The rules for active data are made for the method of the file: with another one they translate what must not be "
                            + "translated, or the reverse.",
                        "ipvsadm -e -f \(service.mark.value)\(family.option) -r \(first.text) \(ftp.method.option)",
                        "or write into \(facts.file(of: service.name)), entry \(service.name): forwarding: \(first.forwarding.rawValue)"
                    ))
            }
            return verdict
        }
    }
}

/// With one-packet scheduling IPVS does not know answers.
enum OnePacketScheduling: Check {
    static let name = "ipvs-one-packet"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.judgeIPVS { _ in
            var verdict = CheckResult()
            for (service, family, _, found) in facts.served where found.isOnePacket {
                guard let server = found.realServers.first(where: { $0.forwarding == .nat }) else { continue }
                let isTranslated = facts.configuration.allMasquerades.contains { masquerade in
                    guard case .addresses(let first, _) = masquerade.to else { return false }
                    return service.addresses.included.contains { $0.contains(first) }
                        && masquerade.sources.included.contains { $0.contains(server.address) }
                }
                let setting = "net.ipv4.vs.conntrack"
                guard !isTranslated || facts.settings[setting] == "1" else { continue }
                let address = service.addresses.included.first { $0.family == family }?.address.description ?? "VIP"
                verdict.findings.append(
                    Finding(
                        check: name, severity: .problem,
                        seen:
                            "the virtual service on mark \(service.mark.value) (\(service.name)) schedules packet by packet (-o) and reaches "
                            + "\(server.address) by NAT.",
                        matters:
                            "IPVS keeps no connection by which it could translate the answers: they leave with the real server's address, "
                            + "unless a masquerade to the virtual address translates them and \(setting) is 0.",
                        advice: isTranslated
                            ? self.setting(setting, "0")
                            : [
                                "write into \(facts.file(of: service.name)), below masquerade: "
                                    + "{name: \(service.name)-answers, sources: [\(server.address)], to: \(address)}"
                            ]))
            }
            return verdict
        }
    }
}

extension Family {
    /// `IPv4`.
    var name: String { self == .ipv4 ? "IPv4" : "IPv6" }

    /// What ipvsadm takes after a mark of IPv6.
    var option: String { self == .ipv4 ? "" : " -6" }
}

extension RealServer {
    /// The address as `ipvsadm -r` takes it.
    var text: String { address.family == .ipv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

extension RealServer.Forwarding {
    /// The option of ipvsadm.
    var option: String {
        switch self {
        case .direct: "-g"
        case .tunnel: "-i"
        default: "-m"
        }
    }
}
