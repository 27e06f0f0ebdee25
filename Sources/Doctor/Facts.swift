package import ConfigurationFile
package import Importer
package import Netlink
package import Rules

/// What is known of the machine around our rules: gathered once, judged by the checks.
package struct Facts: Sendable {
    /// The configuration that should work here.
    package var configuration: Configuration
    /// What the kernel lacks of x_tables for the configuration, by family: sentences, or why it cannot be asked.
    package var missing: [Family: Answer<[String]>]
    /// The rules of nat and mangle, ours included.
    package var rules: Answer<FoundRules>
    /// The virtual services of IPVS.
    package var ipvs: IPVSState
    /// Kernel settings by their names (`net.ipv4.ip_forward`); absent ones are missing.
    package var settings: [String: String]
    /// The names of loaded modules, and of parts that are built in.
    package var modules: Set<String>
    /// Routing rules, routes and addresses.
    package var routing: Answer<RoutingState>
    /// Rules of nf_tables that mark or translate.
    package var nftRules: Answer<[NftRule]>
    /// The FTP servers' configuration; nil: none was given.
    package var vsftpd: VsftpdConfiguration?

    /// Facts of these parts; those left out are as on a machine where all is well and nobody else has rules.
    package init(
        _ configuration: Configuration,
        missing: [Family: Answer<[String]>] = [:],
        rules: Answer<FoundRules> = .known(FoundRules(parsing: "")),
        ipvs: IPVSState = .services([]),
        settings: [String: String] = [:],
        modules: Set<String> = [],
        routing: Answer<RoutingState> = .known(RoutingState()),
        nftRules: Answer<[NftRule]> = .known([]),
        vsftpd: VsftpdConfiguration? = nil
    ) {
        self.configuration = configuration
        self.missing = missing
        self.rules = rules
        self.ipvs = ipvs
        self.settings = settings
        self.modules = modules
        self.routing = routing
        self.nftRules = nftRules
        self.vsftpd = vsftpd
    }
}

/// A fact, or why it is not known.
package enum Answer<Value: Sendable>: Sendable {
    /// What was found.
    case known(Value)
    /// Why it could not be found out.
    case unknown(String)
}

/// What is known of IPVS.
package enum IPVSState: Sendable, Hashable {
    /// The kernel has no IPVS, neither loaded nor as a module that could be.
    case absent
    /// Its virtual services; none while the module is not loaded.
    case services([VirtualService])
    /// It cannot be read.
    case unreadable(String)
}

/// A virtual service of IPVS.
package struct VirtualService: Sendable, Hashable {
    /// The firewall mark it is for; nil: for an address and a port.
    package var mark: UInt32?
    /// How it picks a real server: `rr`.
    package var scheduler: String
    /// How long a client stays with its real server, in seconds; nil: for one connection.
    package var persistence: Int?
    /// The real servers.
    package var realServers: [RealServer]

    /// A real server of a virtual service.
    package struct RealServer: Sendable, Hashable {
        /// Its address.
        package var address: Address
        /// `Masq`, `Route`, `Tunnel` or `Local`.
        package var forwarding: String

        /// A real server of these parts.
        package init(address: Address, forwarding: String) {
            self.address = address
            self.forwarding = forwarding
        }
    }

    /// A virtual service of these parts.
    package init(mark: UInt32?, scheduler: String = "rr", persistence: Int? = nil, realServers: [RealServer] = []) {
        self.mark = mark
        self.scheduler = scheduler
        self.persistence = persistence
        self.realServers = realServers
    }

    /// The virtual services in the text of `/proc/net/ip_vs` (`ip_vs_info_seq_show` of `net/netfilter/ipvs/ip_vs_ctl.c`). Those for an
    /// IPv4 and an IPv6 mark look alike there.
    package static func all(in text: String) -> [VirtualService] {
        var services: [VirtualService] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 3 else { continue }
            switch words[0] {
            case "FWM", "TCP", "UDP", "SCTP":
                var service = VirtualService(mark: words[0] == "FWM" ? UInt32(words[1], radix: 16) : nil, scheduler: words[2])
                if let index = words.firstIndex(of: "persistent"), index + 1 < words.count {
                    service.persistence = Int(words[index + 1])
                }
                services.append(service)
            case "->":
                guard !services.isEmpty, let address = address(words[1]) else { continue }
                services[services.count - 1].realServers.append(RealServer(address: address, forwarding: words[2]))
            default: break
            }
        }
        return services
    }

    /// `0A0B0C02:0015` or `[2001:0db8:0000:…]:0015`.
    private static func address(_ text: String) -> Address? {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            return try? Address(parsing: String(text[text.index(after: text.startIndex)..<end]))
        }
        return UInt32(text.prefix { $0 != ":" }, radix: 16).map { Address(ipv4: $0) }
    }
}
