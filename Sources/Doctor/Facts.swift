// SPDX-License-Identifier: GPL-2.0-or-later
package import ConfigurationFile
package import Netlink
package import Rules

/// What is known of the machine around our rules: gathered once, judged by the checks.
package struct Facts: Sendable {
    /// What is known of IPVS.
    package enum IPVSState: Sendable, Hashable {
        /// The kernel has no IPVS, neither loaded nor as a module that could be.
        case absent
        /// Its virtual services; none while the module is not loaded.
        case services([VirtualService])
        /// It cannot be read.
        case unreadable(String)
    }

    /// The configuration that should work here.
    package var configuration: Configuration
    /// The file that an entry is in, by the entry's name.
    package var files: [String: String] = [:]
    /// What the kernel lacks of x_tables for the configuration, by family: sentences, or why it cannot be asked.
    package var missing: [Family: Fact<[String]>] = [:]
    /// All rules of the packet filter, ours included.
    package var firewall: Fact<Firewall> = .known(Firewall())
    /// The virtual services of IPVS.
    package var ipvs: IPVSState = .services([])
    /// Kernel settings by their names (`net.ipv4.ip_forward`); those that cannot be read are missing.
    package var settings: [String: String] = [:]
    /// The names of loaded modules, and of parts that are built in.
    package var modules: Set<String> = []
    /// Routing rules, routes and addresses.
    package var routing: Fact<RoutingState> = .known(RoutingState())
    /// The configuration files of FTP servers.
    package var ftpServers: [FTPServerFile] = []

    /// Facts of a machine of which nothing else is known.
    package init(_ configuration: Configuration) { self.configuration = configuration }
}

extension Facts {
    /// What the body says of the virtual services, if they are known and any are needed.
    func judgeIPVS(_ body: ([VirtualService]) -> CheckResult) -> CheckResult {
        guard !configuration.allServices.isEmpty else { return .silent }
        return switch ipvs {
        case .absent: .silent
        case .unreadable(let reason): .notRun(reason)
        case .services(let services): body(services)
        }
    }

    /// IPVS' virtual service on the mark, in one family.
    func virtualService(_ mark: Mark, _ family: Family) -> VirtualService? {
        guard case .services(let services) = ipvs else { return nil }
        return services.first { $0.family == family && $0.mark == mark.value }
    }

    /// The services of the file, each with the families that it has and what entry it is of.
    var marked: [(service: Service, families: [Family], ftp: FTPService?)] {
        configuration.ftp.map { ($0.service, $0.service.families, $0) }
            + configuration.services.map { ($0, $0.families, nil) }
    }

    /// The same, family by family, with the virtual service of IPVS on the mark, where there is one.
    var served: [(service: Service, family: Family, ftp: FTPService?, virtualService: VirtualService)] {
        marked.flatMap { service, families, ftp in
            families.compactMap { family in virtualService(service.mark, family).map { (service, family, ftp, $0) } }
        }
    }

    /// The file to write into, for advice about the entry.
    func file(of entry: String) -> String { files[entry] ?? "fwmarkd.yaml" }

    /// How the service's packets reach real servers: as IPVS says, or where it has none, as the file.
    func methods(_ service: Service, _ ftp: FTPService?) -> Set<RealServer.Forwarding> {
        var methods = Set<RealServer.Forwarding>()
        for family in service.families {
            for server in virtualService(service.mark, family)?.realServers ?? [] { methods.insert(server.forwarding) }
        }
        if methods.isEmpty, let ftp { methods = [ftp.method] }
        return methods
    }
}

extension FTPService {
    /// What IPVS calls `forwarding`.
    var method: RealServer.Forwarding {
        switch forwarding {
        case .nat: .nat
        case .direct: .direct
        case .tunnel: .tunnel
        }
    }
}

extension Service {
    /// The families that packets of the service can be of.
    var families: [Family] {
        Family.allCases.filter { family in
            let has: (Selection<Prefix>) -> Bool = { selection in
                selection.included.isEmpty || selection.included.contains { $0.family == family }
            }
            return has(addresses) && has(sources)
        }
    }

    /// Whether a client may have connections to several ports of it that belong together.
    var hasSeveralPorts: Bool {
        let ranges = TransportProtocol.allCases.flatMap { traffic[$0] }
        return traffic.isEverything || traffic.protocols.count + ranges.count > 1 || ranges.contains { $0.lower != $0.upper }
    }
}
