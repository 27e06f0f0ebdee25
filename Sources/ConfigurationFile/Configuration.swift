package import Rules

/// What the operator wants: the configuration file and its `conf.d`, read whole and found to be right.
///
/// A value of this type obeys every rule of fwmarkd.yaml(5): names are unique, no two services give one packet two
/// different marks, no service is empty.
package struct Configuration: Sendable, Hashable {
    /// How the daemon behaves.
    package var daemon: DaemonSettings
    /// FTP services in the order of the files.
    package var ftp: [FTPService]
    /// Services in the order of the files.
    package var services: [Service]
    /// Source translations in the order of the files.
    package var masquerades: [Masquerade]

    /// A configuration of these parts; nothing is checked here (`Configuration.load` does).
    package init(
        daemon: DaemonSettings = DaemonSettings(), ftp: [FTPService] = [], services: [Service] = [], masquerades: [Masquerade] = []
    ) {
        self.daemon = daemon
        self.ftp = ftp
        self.services = services
        self.masquerades = masquerades
    }

    /// Everything that marks: what the FTP services expand into, then the services.
    package var allServices: [Service] { ftp.map(\.service) + services }

    /// Everything that translates, in the order in which the first match decides: what the FTP services expand into,
    /// then the masquerades.
    package var allMasquerades: [Masquerade] { ftp.compactMap(\.masquerade) + masquerades }

    /// Whether some packet's mark depends on the order of the services. Never so in what `load` returns.
    package var hasMarkConflicts: Bool { !MarkConflicts.find(in: allServices).isEmpty }
}

/// Where in a file something stands.
package struct SourcePosition: Sendable, Hashable {
    /// The file's path, as it was given or found.
    package var file: String
    /// The line, counted from 1.
    package var line: Int
    /// The column in characters, counted from 1.
    package var column: Int

    /// The position of the given line and column, both counted from 1.
    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
}

extension SourcePosition: CustomStringConvertible {
    /// `file:line:column`
    package var description: String { "\(file):\(line):\(column)" }
}

/// How the daemon behaves: the `daemon:` section.
package struct DaemonSettings: Sendable, Hashable {
    /// What to do about a difference between kernel and file that nobody asked for.
    package enum OnDrift: String, Sendable, Hashable, CaseIterable { case repair, report }
    /// What to do with our rules when the daemon is stopped.
    package enum OnStop: String, Sendable, Hashable, CaseIterable { case keep, remove }
    /// Where the jump into our chain is put when it is missing.
    package enum HookPosition: String, Sendable, Hashable, CaseIterable { case first, last }

    /// `on-drift`
    package var onDrift = OnDrift.repair
    /// `on-stop`
    package var onStop = OnStop.keep
    /// `hook-position`
    package var hookPosition = HookPosition.first
    /// `check-interval`: between two looks at the tables' sizes.
    package var checkInterval = Duration.seconds(1)
    /// `resync-interval`: between two full comparisons.
    package var resyncInterval = Duration.seconds(60)
    /// `lock-timeout`: how long to wait for the xtables lock.
    package var lockTimeout = Duration.seconds(10)
    /// `metrics-listen`: where metrics are served over TCP; nil: nowhere.
    package var metricsListen: ListenAddress?

    /// The defaults.
    package init() {}
}

/// An address and a port to listen on.
package struct ListenAddress: Sendable, Hashable {
    /// The address.
    package var address: Address
    /// The port, in host order; 1…65535.
    package var port: UInt16

    /// The port of the address.
    package init(address: Address, port: UInt16) {
        self.address = address
        self.port = port
    }
}

extension ListenAddress {
    /// An address and a port: `127.0.0.1:9780`, `[::1]:9780`.
    ///
    /// - Throws: `InvalidValue` for anything else.
    package init(parsing text: String) throws(InvalidValue) {
        let wanted = "an address and a port like 127.0.0.1:9780 or [::1]:9780"
        guard let colon = text.lastIndex(of: ":") else { throw InvalidValue(problem: "\"\(text)\" has no port", expected: wanted) }
        var host = String(text[..<colon])
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = String(host.dropFirst().dropLast()) }
        guard let address = try? Address(parsing: host), (address.family == .ipv6) == isBracketed,
            let range = try? PortRange(parsing: String(text[text.index(after: colon)...])), range.lower == range.upper
        else { throw InvalidValue(problem: "\"\(text)\" cannot be listened on", expected: wanted) }
        self.init(address: address, port: range.lower)
    }
}

/// A service of several ports that share one firewall mark: an entry of `services:`.
package struct Service: Sendable, Hashable {
    /// Its name: 1 to 64 letters, digits, `.`, `_` and `-`.
    package var name: String
    /// The mark that its packets get.
    package var mark: Mark
    /// The virtual addresses; at least one, families may stand side by side.
    package var addresses: [Prefix]
    /// The destination ports by protocol; at least one protocol, none of them with an empty list.
    package var ports: [TransportProtocol: [PortRange]]
    /// The interface its packets come in by; nil: any.
    package var inInterface: InterfacePattern?
    /// Where the entry stands.
    package var position: SourcePosition

    /// A service of these parts.
    package init(
        name: String, mark: Mark, addresses: [Prefix], ports: [TransportProtocol: [PortRange]],
        inInterface: InterfacePattern? = nil, position: SourcePosition
    ) {
        self.name = name
        self.mark = mark
        self.addresses = addresses
        self.ports = ports
        self.inInterface = inInterface
        self.position = position
    }
}

/// FTP behind IPVS, whole: an entry of `ftp:`.
package struct FTPService: Sendable, Hashable {
    /// Its name: 1 to 64 letters, digits, `.`, `_` and `-`.
    package var name: String
    /// The mark that control and passive data connections get.
    package var mark: Mark
    /// The virtual addresses; at least one.
    package var addresses: [Prefix]
    /// `control-port`, where clients connect first.
    package var controlPort: UInt16
    /// `passive-ports`, the range that the FTP servers announce.
    package var passivePorts: PortRange
    /// `active:`; nil: connections from the real servers are not translated.
    package var active: Active?
    /// Where the entry stands.
    package var position: SourcePosition

    /// What becomes of the data connections that real servers open.
    package struct Active: Sendable, Hashable {
        /// `real-servers`, where these connections come from; at least one.
        package var realServers: [Prefix]
        /// `data-port`, the port they come from.
        package var dataPort: UInt16
        /// `to`, what their source becomes.
        package var to: SourceTranslation

        /// Active data connections of these parts.
        package init(realServers: [Prefix], dataPort: UInt16 = 20, to: SourceTranslation = .masquerade) {
            self.realServers = realServers
            self.dataPort = dataPort
            self.to = to
        }
    }

    /// An FTP service of these parts.
    package init(
        name: String, mark: Mark, addresses: [Prefix], controlPort: UInt16 = 21, passivePorts: PortRange, active: Active? = nil,
        position: SourcePosition
    ) {
        self.name = name
        self.mark = mark
        self.addresses = addresses
        self.controlPort = controlPort
        self.passivePorts = passivePorts
        self.active = active
        self.position = position
    }

    /// The service it expands into: control port and passive ports under one mark.
    package var service: Service {
        Service(
            name: name, mark: mark, addresses: addresses, ports: [.tcp: [PortRange(controlPort), passivePorts]], position: position)
    }

    /// The translation it expands into: what leaves the real servers from the data port.
    package var masquerade: Masquerade? {
        active.map { active in
            Masquerade(
                name: name, sources: active.realServers, ports: [.tcp: [PortRange(active.dataPort)]], to: active.to,
                position: position)
        }
    }
}

/// What a source address becomes.
package enum SourceTranslation: Sendable, Hashable {
    /// The primary address of the outgoing interface.
    case masquerade
    /// This address.
    case address(Address)
}

/// A source translation: an entry of `masquerade:`.
package struct Masquerade: Sendable, Hashable {
    /// Its name: 1 to 64 letters, digits, `.`, `_` and `-`.
    package var name: String
    /// Whose packets; at least one prefix.
    package var sources: [Prefix]
    /// The source ports by protocol; empty: every packet of any protocol.
    package var ports: [TransportProtocol: [PortRange]]
    /// Where the packets go; empty: anywhere. A packet fits that goes to one of the prefixes that are not inverted (if
    /// there are any in its family) and to none of the inverted ones.
    package var destinations: [AddressMatch]
    /// The interface they leave by; nil: any.
    package var outInterface: InterfacePattern?
    /// What their source becomes.
    package var to: SourceTranslation
    /// Where the entry stands.
    package var position: SourcePosition

    /// A translation of these parts.
    package init(
        name: String, sources: [Prefix], ports: [TransportProtocol: [PortRange]] = [:], destinations: [AddressMatch] = [],
        outInterface: InterfacePattern? = nil, to: SourceTranslation = .masquerade, position: SourcePosition
    ) {
        self.name = name
        self.sources = sources
        self.ports = ports
        self.destinations = destinations
        self.outInterface = outInterface
        self.to = to
        self.position = position
    }
}
