public import Rules

/// What the operator wants: the configuration file and its `conf.d`, read whole and found to be right.
///
/// A value of this type obeys every rule of fwmarkd.yaml(5): names are unique, no two services give one packet two
/// different marks, no service is empty.
public struct Configuration: Sendable, Hashable {
    /// How the daemon behaves.
    public var daemon: DaemonSettings
    /// FTP services in the order of the files.
    public var ftp: [FTPService]
    /// Services in the order of the files.
    public var services: [Service]
    /// Source translations in the order of the files.
    public var masquerades: [Masquerade]

    /// A configuration of these parts; nothing is checked here (`Configuration.load` does).
    public init(
        daemon: DaemonSettings = DaemonSettings(), ftp: [FTPService] = [], services: [Service] = [], masquerades: [Masquerade] = []
    ) {
        self.daemon = daemon
        self.ftp = ftp
        self.services = services
        self.masquerades = masquerades
    }

    /// Everything that marks: what the FTP services expand into, then the services.
    public var allServices: [Service] { ftp.map(\.service) + services }

    /// Everything that translates, in the order in which the first match decides: what the FTP services expand into,
    /// then the masquerades.
    public var allMasquerades: [Masquerade] { ftp.compactMap(\.masquerade) + masquerades }

    /// Whether some packet's mark depends on the order of the services. Never so in what `load` returns.
    public var hasMarkConflicts: Bool { !MarkConflicts.find(in: allServices).isEmpty }
}

/// Where in a file something stands.
public struct SourcePosition: Sendable, Hashable {
    /// The file's path, as it was given or found.
    public var file: String
    /// The line, counted from 1.
    public var line: Int
    /// The column in characters, counted from 1.
    public var column: Int

    /// The position of the given line and column, both counted from 1.
    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
}

extension SourcePosition: CustomStringConvertible {
    /// `file:line:column`
    public var description: String { "\(file):\(line):\(column)" }
}

/// How the daemon behaves: the `daemon:` section.
public struct DaemonSettings: Sendable, Hashable {
    /// What to do about a difference between kernel and file that nobody asked for.
    public enum OnDrift: String, Sendable, Hashable, CaseIterable { case repair, report }
    /// What to do with our rules when the daemon is stopped.
    public enum OnStop: String, Sendable, Hashable, CaseIterable { case keep, remove }
    /// Where the jump into our chain is put when it is missing.
    public enum HookPosition: String, Sendable, Hashable, CaseIterable { case first, last }

    /// `on-drift`
    public var onDrift = OnDrift.repair
    /// `on-stop`
    public var onStop = OnStop.keep
    /// `hook-position`
    public var hookPosition = HookPosition.first
    /// `check-interval`: between two looks at the tables' sizes.
    public var checkInterval = Duration.seconds(1)
    /// `resync-interval`: between two full comparisons.
    public var resyncInterval = Duration.seconds(60)
    /// `lock-timeout`: how long to wait for the xtables lock.
    public var lockTimeout = Duration.seconds(10)
    /// `metrics-listen`: where metrics are served over TCP; nil: nowhere.
    public var metricsListen: ListenAddress?

    /// The defaults.
    public init() {}
}

/// An address and a port to listen on.
public struct ListenAddress: Sendable, Hashable {
    /// The address.
    public var address: Address
    /// The port, in host order; 1…65535.
    public var port: UInt16

    /// The port of the address.
    public init(address: Address, port: UInt16) {
        self.address = address
        self.port = port
    }
}

extension ListenAddress {
    /// An address and a port: `127.0.0.1:9780`, `[::1]:9780`.
    ///
    /// - Throws: `InvalidValue` for anything else.
    public init(parsing text: String) throws(InvalidValue) {
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
public struct Service: Sendable, Hashable {
    /// Its name: 1 to 64 letters, digits, `.`, `_` and `-`.
    public var name: String
    /// The mark that its packets get.
    public var mark: Mark
    /// The virtual addresses; at least one, families may stand side by side.
    public var addresses: [Prefix]
    /// The destination ports by protocol; at least one protocol, none of them with an empty list.
    public var ports: [TransportProtocol: [PortRange]]
    /// The interface its packets come in by; nil: any.
    public var inInterface: InterfacePattern?
    /// Where the entry stands.
    public var position: SourcePosition

    /// A service of these parts.
    public init(
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
public struct FTPService: Sendable, Hashable {
    /// Its name: 1 to 64 letters, digits, `.`, `_` and `-`.
    public var name: String
    /// The mark that control and passive data connections get.
    public var mark: Mark
    /// The virtual addresses; at least one.
    public var addresses: [Prefix]
    /// `control-port`, where clients connect first.
    public var controlPort: UInt16
    /// `passive-ports`, the range that the FTP servers announce.
    public var passivePorts: PortRange
    /// `active:`; nil: connections from the real servers are not translated.
    public var active: Active?
    /// Where the entry stands.
    public var position: SourcePosition

    /// What becomes of the data connections that real servers open.
    public struct Active: Sendable, Hashable {
        /// `real-servers`, where these connections come from; at least one.
        public var realServers: [Prefix]
        /// `data-port`, the port they come from.
        public var dataPort: UInt16
        /// `to`, what their source becomes.
        public var to: SourceTranslation

        /// Active data connections of these parts.
        public init(realServers: [Prefix], dataPort: UInt16 = 20, to: SourceTranslation = .masquerade) {
            self.realServers = realServers
            self.dataPort = dataPort
            self.to = to
        }
    }

    /// An FTP service of these parts.
    public init(
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
    public var service: Service {
        Service(
            name: name, mark: mark, addresses: addresses, ports: [.tcp: [PortRange(controlPort), passivePorts]], position: position)
    }

    /// The translation it expands into: what leaves the real servers from the data port.
    public var masquerade: Masquerade? {
        active.map { active in
            Masquerade(
                name: name, sources: active.realServers, ports: [.tcp: [PortRange(active.dataPort)]], to: active.to,
                position: position)
        }
    }
}

/// What a source address becomes.
public enum SourceTranslation: Sendable, Hashable {
    /// The primary address of the outgoing interface.
    case masquerade
    /// This address.
    case address(Address)
}

/// A source translation: an entry of `masquerade:`.
public struct Masquerade: Sendable, Hashable {
    /// Its name: 1 to 64 letters, digits, `.`, `_` and `-`.
    public var name: String
    /// Whose packets; at least one prefix.
    public var sources: [Prefix]
    /// The source ports by protocol; empty: every packet of any protocol.
    public var ports: [TransportProtocol: [PortRange]]
    /// Where the packets go; empty: anywhere. A packet fits that goes to one of the prefixes that are not inverted (if
    /// there are any in its family) and to none of the inverted ones.
    public var destinations: [AddressMatch]
    /// The interface they leave by; nil: any.
    public var outInterface: InterfacePattern?
    /// What their source becomes.
    public var to: SourceTranslation
    /// Where the entry stands.
    public var position: SourcePosition

    /// A translation of these parts.
    public init(
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
