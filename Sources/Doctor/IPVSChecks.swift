import ConfigurationFile
import Importer
import Netlink
import Rules

/// A mark that no virtual service is for leads nowhere.
enum VirtualServices: Check {
    static let name = "ipvs-service"

    static func examine(_ facts: Facts) -> Verdict {
        facts.judgeIPVS { services in
            let marks = Set(services.compactMap(\.mark))
            var verdict = Verdict()
            for service in facts.configuration.allServices where !marks.contains(service.mark.value) {
                verdict.findings.append(
                    finding(
                        .problem, "IPVS has no virtual service on mark \(service.mark.value), which \(service.name) sets.",
                        "Packets of \(service.name) are marked and then go to the director itself, which refuses or does not answer them.",
                        "ipvsadm -A -f \(service.mark.value) -s rr -p 300",
                        "ipvsadm -a -f \(service.mark.value) -r REAL-SERVER -m"))
            }
            return verdict
        }
    }
}

/// Without persistence the connections of one client are spread over the real servers.
enum Persistence: Check {
    static let name = "ipvs-persistence"

    static func examine(_ facts: Facts) -> Verdict {
        facts.judgeIPVS { services in
            let fickle = Set(services.compactMap { $0.persistence == nil ? $0.mark : nil })
            let persistent = Set(services.compactMap { $0.persistence == nil ? nil : $0.mark })
            var verdict = Verdict()
            let ftp = Set(facts.configuration.ftp.map(\.name))
            for service in facts.configuration.allServices
            where fickle.contains(service.mark.value) && !persistent.contains(service.mark.value) && service.hasSeveralPorts {
                let mark = service.mark.value
                verdict.findings.append(
                    finding(
                        ftp.contains(service.name) ? .problem : .warning,
                        "the virtual service on mark \(mark) (\(service.name)) is not persistent.",
                        ftp.contains(service.name)
                            ? "A client's data connection then comes to another real server than its control connection, and is refused."
                            : "A client's connections to the different ports of \(service.name) may come to different real servers.",
                        "ipvsadm -E -f \(mark) -s \(services.first { $0.mark == mark }?.scheduler ?? "rr") -p 300"))
            }
            return verdict
        }
    }
}

/// A virtual service on a mark that no rule sets gets no packet.
enum OrphanVirtualServices: Check {
    static let name = "ipvs-orphan"

    static func examine(_ facts: Facts) -> Verdict {
        // Whoever else marks may set it.
        if case .known(let rules) = facts.nftRules, rules.contains(where: { $0.action == .mark }) { return .silent }
        let rules: FoundRules
        switch facts.rules {
        case .known(let known): rules = known
        case .unknown(let reason): return .notRun(reason)
        }
        let foreign = rules.tables.filter { $0.key.name == Table.mangle.rawValue }.values.joined()
            .filter { !ChainName(fromKernel: $0.name).isOurs }.flatMap(\.rules)
        var marks = Set(facts.configuration.allServices.map(\.mark.value))
        for rule in foreign where ["MARK", "CONNMARK", "HMARK"].contains(rule.parsed.targetName ?? "") {
            // A mark that is computed can be any.
            guard let mark = rule.parsed.mark else { return .silent }
            marks.insert(mark.value)
        }
        return facts.judgeIPVS { services in
            var verdict = Verdict()
            for mark in Set(services.compactMap(\.mark)).subtracting(marks).sorted() {
                verdict.findings.append(
                    finding(
                        .warning, "IPVS has a virtual service on mark \(mark), and no rule sets that mark.",
                        "It never sees a packet. Was the mark changed in one of the two places only?",
                        "ipvsadm -L -f \(mark) -n", "ipvsadm -D -f \(mark)"))
            }
            return verdict
        }
    }
}

/// nat rules that connections of IPVS would need do not see them while `net.ipv4.vs.conntrack` is 0.
enum IPVSConntrack: Check {
    static let name = "ipvs-conntrack"
    private static let setting = "net.ipv4.vs.conntrack"

    static func examine(_ facts: Facts) -> Verdict {
        facts.judgeIPVS { services in
            guard facts.settings[setting] == "0" else { return .silent }
            let servers = services.flatMap(\.realServers).filter { $0.forwarding == "Masq" }.map(\.address)
            var culprits: [String] = []
            for masquerade in facts.configuration.allMasquerades where translatesClients(masquerade, to: servers) {
                culprits.append("the masquerade \(masquerade.name)")
            }
            if case .known(let rules) = facts.rules {
                for family in Family.allCases {
                    culprits += rules.rulesMet(family, .nat, hook: .postrouting).map(\.rule)
                        .filter { $0.text.contains("-m ipvs") || " \($0.text)".contains(" -m ipvs ") }.map { "`\($0.command)`" }
                }
            }
            guard !culprits.isEmpty else { return .silent }
            var verdict = Verdict()
            verdict.findings.append(
                finding(
                    .warning,
                    "\(setting) is 0, and \(culprits.joined(separator: " and ")) would translate clients' connections to real servers.",
                    "Connections that IPVS handles do not come to the nat table then: real servers see the clients' own addresses.",
                    "sysctl -w \(setting)=1", "echo '\(setting) = 1' > /etc/sysctl.d/50-ipvs.conf"))
            return verdict
        }
    }

    /// Whether its packets are those of strangers to real servers: sources that hold more than the real servers' own, and
    /// destinations among which one is.
    private static func translatesClients(_ masquerade: Masquerade, to servers: [Address]) -> Bool {
        let isForAll = masquerade.sources.contains { $0.length == 0 }
        return isForAll && masquerade.ports.isEmpty
            && servers.contains { server in
                let there = masquerade.destinations.filter { $0.prefix.family == server.family }
                let named = there.filter { !$0.isInverted }
                return (named.isEmpty || named.contains { $0.matches(server) })
                    && there.filter(\.isInverted).allSatisfy { $0.matches(server) }
            }
    }
}

extension Facts {
    /// What the body says of the virtual services, if they are known.
    func judgeIPVS(_ body: ([VirtualService]) -> Verdict) -> Verdict {
        guard !configuration.allServices.isEmpty else { return .silent }
        return switch ipvs {
        case .absent: .notRun("this kernel has no IPVS")
        case .unreadable(let reason): .notRun(reason)
        case .services(let services): body(services)
        }
    }
}

extension Service {
    /// Whether it is about more than one port, so that a client may have connections that belong together.
    fileprivate var hasSeveralPorts: Bool {
        ports.values.joined().reduce(0) { $0 + Int($1.upper) - Int($1.lower) + 1 } > 1
    }
}
