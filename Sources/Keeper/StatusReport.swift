// SPDX-License-Identifier: GPL-2.0-or-later
package import API
package import ConfigurationFile
package import FoundationEssentials
package import Netfilter
package import Netlink
package import Planner
import Rules
package import SystemCalls

extension Status {
    /// The status with what the kernel says: tables, what each service and each translation has seen, and IPVS' virtual services.
    ///
    /// - Parameters:
    ///   - plan: the rules of the configuration, and the service of each.
    ///   - tables: the tables that exist, read at one moment each.
    ///   - virtualServices: those of IPVS, or why they could not be read; nil: IPVS is not loaded.
    package func filled(
        _ configuration: Configuration, _ plan: Plan, _ tables: [TableSnapshot],
        _ virtualServices: Result<[VirtualService]?, SystemError>
    ) -> Status {
        var status = self
        let seen = ServiceCounters(tables, plan)
        status.tables = tables.filter { $0.chains.contains { $0.name.isOurs } }.map { TableStatus($0) }
        status.services = configuration.allServices.map { service in
            var message = ServiceStatus(service)
            let counters = seen[.mangle, service.name]
            (message.packets, message.bytes) = (counters.packets, counters.bytes)
            return message
        }
        status.masquerades = configuration.allMasquerades.map { masquerade in
            var message = MasqueradeStatus(masquerade)
            let counters = seen[.nat, masquerade.name]
            (message.packets, message.bytes) = (counters.packets, counters.bytes)
            return message
        }
        (status.serviceCount, status.matchingServices) = (status.services.count, status.services.count)
        (status.masqueradeCount, status.matchingMasquerades) = (status.masquerades.count, status.masquerades.count)
        status.add(virtualServices, configuration)
        return status
    }

    private mutating func add(_ virtualServices: Result<[VirtualService]?, SystemError>, _ configuration: Configuration) {
        switch virtualServices {
        case .failure(let error): ipvsError = "\(error)"
        case .success(nil): ipvsError = "IPVS is not loaded in this kernel"
        case .success(let all?):
            let byMark = Dictionary(grouping: all) { $0.mark ?? 0 }
            for (index, service) in configuration.allServices.enumerated() {
                // IPVS compares all 32 bits, so a masked mark meets the virtual service of its value at the most.
                let found = (byMark[service.mark.value] ?? []).filter { $0.mark != nil }
                services[index].virtualServices = found.map { VirtualServiceStatus($0) }.sorted { $0.family < $1.family }
                services[index].warnings = service.warnings(found)
            }
        }
    }
}

extension ConfigurationStatus {
    /// The status with what the files on the disk say now.
    ///
    /// - Parameter read: the files as they were when they were last read.
    package func compared(with files: FilesOnDisk, read: FilesOnDisk?, now: Date = .now) -> ConfigurationStatus {
        var status = self
        status.ignoredFiles = files.ignored
        status.unreadable = files.denied.map { UnreadableFile(path: printable($0.path.utf8), command: $0.command) }
        status.changed = read.flatMap { files.change(since: $0, now: now.timeIntervalSince1970) }.map {
            Date(timeIntervalSince1970: $0)
        }
        return status
    }
}

extension Service {
    /// What IPVS lacks for the service.
    fileprivate func warnings(_ found: [VirtualService]) -> [String] {
        let families = Set(addresses.included.map(\.family))
        return Family.allCases.filter { families.isEmpty || families.contains($0) }.compactMap { family in
            let name = family == .ipv4 ? "IPv4" : "IPv6"
            guard let virtualService = found.first(where: { $0.family == family }) else {
                // A service of both families without an address may be meant for one.
                guard !families.isEmpty || found.isEmpty && family == .ipv4 else { return nil }
                return "no virtual service of IPVS on mark \(mark.value) (\(name)): marked packets are not forwarded"
            }
            if virtualService.realServers.isEmpty { return "IPVS has no real server on mark \(mark.value) (\(name))" }
            guard virtualService.realServers.contains(where: { $0.weight > 0 }) else {
                return "all real servers on mark \(mark.value) (\(name)) have weight 0: there are no new connections"
            }
            return nil
        }
    }
}

extension VirtualServiceStatus {
    /// The virtual service as the sockets describe it. The kernel has the real servers in the order in which they came and went; here
    /// they are in that of their addresses.
    package init(_ service: VirtualService) {
        self.init(
            family: service.family.rawValue, scheduler: printable(service.scheduler), persistence: service.persistence,
            isOnePacket: service.isOnePacket, connections: service.connections,
            realServers: service.realServers.sorted { ($0.address, $0.port) < ($1.address, $1.port) })
    }
}

extension TableStatus {
    /// What is ours in the table, and how much is not.
    package init(_ table: TableSnapshot) {
        var (chains, rules, foreign) = (0, 0, 0)
        for chain in table.chains {
            if chain.name.isOurs {
                chains += 1
                rules += chain.rules.count
            } else {
                foreign += chain.rules.count - chain.rules.leadingIntoOurChains.count
            }
        }
        self.init(
            family: table.id.family, table: table.id.table, chains: chains, rules: rules, foreignRules: foreign)
    }
}

extension RuleList {
    /// Every rule of ours in the tables, our jumps included.
    package init(_ tables: [TableSnapshot]) {
        var rules: [RuleMessage] = []
        for table in tables {
            for chain in table.chains {
                let indices = chain.name.isOurs ? Array(chain.rules.indices) : chain.rules.leadingIntoOurChains
                for index in indices {
                    let rule = chain.rules[index]
                    rules.append(
                        RuleMessage(
                            family: table.id.family, table: table.id.table, chain: chain.name.text,
                            number: index + 1, rule: printable("-A \(chain.name) \(rule.content)"), packets: rule.counters.packets,
                            bytes: rule.counters.bytes))
                }
            }
        }
        self.init(rules: rules)
    }
}
