import Rules

/// Nodes as a configuration. Everything that is wrong is noted, and reading goes on behind it.
struct ConfigurationDecoder {
    private(set) var configuration = Configuration()
    var faults = FaultList()
    /// Where each scalar setting of `daemon:` was first given.
    private var settingPositions: [String: SourcePosition] = [:]
    /// The names of what marks and of what translates, also of entries with faults.
    var names: (marking: [Name], translating: [Name]) = ([], [])
    /// Where in their files the entries of the configuration stand.
    private var indices: (ftp: [Int], services: [Int]) = ([], [])

    /// A name and where it stands.
    struct Name {
        let text: String
        let section: String
        let index: Int
        let position: SourcePosition
    }

    private static let settings = [
        "on-drift", "on-stop", "hook-position", "check-interval", "resync-interval", "lock-timeout", "metrics-listen",
    ]

    /// Reads one file's root, adding to what earlier files said.
    mutating func decode(_ root: YAMLNode, file: String) {
        faults.file = file
        faults.path = []
        guard !root.isNull else { return }
        let sections = members(root, known: ["daemon", "ftp", "services", "masquerade"], required: [])
        if let node = sections["daemon"] { at(.key("daemon")) { $0.daemon(node) } }
        entries(sections["ftp"], "ftp") { decoder, node, index in
            guard let entry = decoder.whole({ $0.ftp(node, index) }) else { return }
            decoder.configuration.ftp.append(entry)
            decoder.indices.ftp.append(index)
        }
        entries(sections["services"], "services") { decoder, node, index in
            guard let entry = decoder.whole({ $0.service(node, index) }) else { return }
            decoder.configuration.services.append(entry)
            decoder.indices.services.append(index)
        }
        entries(sections["masquerade"], "masquerade") { decoder, node, index in
            guard let entry = decoder.whole({ $0.masquerade(node, index) }) else { return }
            decoder.configuration.masquerades.append(entry)
        }
    }

    /// The entry, unless a fault was found in it: what is compared with other entries must be what was meant.
    private mutating func whole<Entry>(_ read: (inout ConfigurationDecoder) -> Entry?) -> Entry? {
        let before = faults.count
        let entry = read(&self)
        return faults.count == before ? entry : nil
    }

    // MARK: - Between entries

    /// Notes names that stand twice: among what marks, and among what translates.
    mutating func checkNames() {
        func check(_ kind: String, _ names: [Name]) {
            var first: [String: SourcePosition] = [:]
            first.reserveCapacity(names.count)
            for name in names {
                guard let earlier = first[name.text] else {
                    first[name.text] = name.position
                    continue
                }
                faults.add(
                    Fault(
                        position: name.position, path: "\(name.section)[\(name.index)].name",
                        problem: "two \(kind) have the name \"\(name.text)\"; the other is at \(earlier)",
                        expected: "a name of its own for each"))
            }
        }
        check("services", names.marking)
        check("masquerades", names.translating)
    }

    /// Notes services that would give one packet two different marks.
    mutating func checkMarks() {
        let services = configuration.allServices
        for conflict in MarkConflicts.find(in: services) {
            let (later, earlier) = (services[conflict.later], services[conflict.earlier])
            let fromFTP = configuration.ftp.count
            let path =
                conflict.later < fromFTP
                ? "ftp[\(indices.ftp[conflict.later])]" : "services[\(indices.services[conflict.later - fromFTP])]"
            let ports = "port\(conflict.ports.lower == conflict.ports.upper ? "" : "s") \(conflict.ports)"
            faults.add(
                Fault(
                    position: later.position, path: path,
                    problem: "mark \(later.mark) for \(conflict.transport) \(ports) of \(conflict.prefix), which "
                        + "\"\(earlier.name)\" at \(earlier.position) gives mark \(earlier.mark)",
                    expected: "one mark for both, addresses, ports or interfaces that do not overlap, or masks that do not touch"))
        }
    }

    // MARK: - Sections

    private mutating func daemon(_ node: YAMLNode) {
        guard !node.isNull else { return }
        let values = members(node, known: ConfigurationDecoder.settings, required: [])
        for key in ConfigurationDecoder.settings {
            guard let value = values[key] else { continue }
            at(.key(key)) { decoder in
                decoder.setting(key, value)
                if let first = decoder.settingPositions[key] {
                    decoder.faults.add(value, "\(key) was set already at \(first)", expected: "each setting in one file only")
                } else {
                    decoder.settingPositions[key] = decoder.faults.position(value)
                }
            }
        }
    }

    private mutating func setting(_ key: String, _ node: YAMLNode) {
        switch key {
        case "on-drift": choice(node).map { configuration.daemon.onDrift = $0 }
        case "on-stop": choice(node).map { configuration.daemon.onStop = $0 }
        case "hook-position": choice(node).map { configuration.daemon.hookPosition = $0 }
        case "check-interval":
            duration(node, from: "100ms", to: "1h").map { configuration.daemon.checkInterval = $0 }
        case "resync-interval":
            duration(node, from: "1s", to: "24h").map { configuration.daemon.resyncInterval = $0 }
        case "lock-timeout":
            duration(node, from: "100ms", to: "10m").map { configuration.daemon.lockTimeout = $0 }
        default:
            value(node) { (text) throws(InvalidValue) in try ListenAddress(parsing: text) }
                .map { configuration.daemon.metricsListen = $0 }
        }
    }

    private mutating func ftp(_ node: YAMLNode, _ index: Int) -> FTPService? {
        let keys = ["name", "mark", "addresses", "control-port", "passive-ports", "active"]
        let values = members(node, known: keys, required: ["name", "mark", "addresses", "passive-ports"])
        let name = name(values, "ftp", index)
        let mark = member("mark", values) { (text) throws(InvalidValue) in try Mark(parsing: text) }
        let addresses = prefixes("addresses", values)
        let control = port("control-port", values, default: 21)
        let passive = member("passive-ports", values) { (text) throws(InvalidValue) in try PortRange(parsing: text) }
        var active: FTPService.Active?
        if let node = values["active"] {
            active = at(.key("active")) { $0.active(node) }
        }
        guard values.isWhole, let name, let mark, let addresses, let control, let passive,
            values["active"] == nil || active != nil
        else { return nil }
        return FTPService(
            name: name, mark: mark, addresses: addresses, controlPort: control, passivePorts: passive, active: active,
            position: faults.position(node))
    }

    private mutating func active(_ node: YAMLNode) -> FTPService.Active? {
        let values = members(node, known: ["real-servers", "data-port", "to"], required: ["real-servers"])
        let servers = prefixes("real-servers", values)
        let port = port("data-port", values, default: 20)
        let to = translation(values, sources: servers, "real-servers")
        guard values.isWhole, let servers, let port, let to else { return nil }
        return FTPService.Active(realServers: servers, dataPort: port, to: to)
    }

    private mutating func service(_ node: YAMLNode, _ index: Int) -> Service? {
        let keys = ["name", "mark", "addresses", "tcp", "udp", "sctp", "in-interface"]
        let values = members(node, known: keys, required: ["name", "mark", "addresses"])
        let name = name(values, "services", index)
        let mark = member("mark", values) { (text) throws(InvalidValue) in try Mark(parsing: text) }
        let addresses = prefixes("addresses", values)
        let ports = ports(values)
        let protocols = TransportProtocol.allCases.map(\.rawValue)
        if values.isWhole, protocols.allSatisfy({ values[$0] == nil && !values.misspelt.contains($0) }) {
            faults.add(node, "the service has no ports", expected: "at least one of tcp, udp and sctp")
        }
        let interface = interface("in-interface", values)
        guard values.isWhole, let name, let mark, let addresses, let ports, let interface else { return nil }
        return Service(
            name: name, mark: mark, addresses: addresses, ports: ports, inInterface: interface, position: faults.position(node))
    }

    private mutating func masquerade(_ node: YAMLNode, _ index: Int) -> Masquerade? {
        let keys = ["name", "sources", "tcp", "udp", "sctp", "destinations", "out-interface", "to"]
        let values = members(node, known: keys, required: ["name", "sources"])
        let name = name(values, "masquerade", index)
        let sources = prefixes("sources", values)
        let ports = ports(values)
        let destinations = values["destinations"] == nil ? [] : destinations(values, sources: sources)
        let interface = interface("out-interface", values)
        let to = translation(values, sources: sources, "sources")
        guard values.isWhole, let name, let sources, let ports, let destinations, let interface, let to else { return nil }
        return Masquerade(
            name: name, sources: sources, ports: ports, destinations: destinations, outInterface: interface, to: to,
            position: faults.position(node))
    }
}
