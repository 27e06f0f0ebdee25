internal import Rules

/// Nodes as a configuration. Everything that is wrong is noted, and reading goes on behind it.
struct ConfigurationDecoder {
    private(set) var configuration = Configuration()
    var faults = FaultList()
    /// Where each scalar setting of `daemon:` was first given.
    private var settingPositions: [String: SourcePosition] = [:]

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
        if let node = sections["ftp"] {
            entries(node, "ftp") { (self, node) in if let entry = self.ftp(node) { self.configuration.ftp.append(entry) } }
        }
        if let node = sections["services"] {
            entries(node, "services") { (self, node) in
                if let entry = self.service(node) { self.configuration.services.append(entry) }
            }
        }
        if let node = sections["masquerade"] {
            entries(node, "masquerade") { (self, node) in
                if let entry = self.masquerade(node) { self.configuration.masquerades.append(entry) }
            }
        }
    }

    // MARK: - Sections

    private mutating func daemon(_ node: YAMLNode) {
        guard !node.isNull else { return }
        let values = members(node, known: ConfigurationDecoder.settings, required: [])
        for key in ConfigurationDecoder.settings {
            guard let value = values[key] else { continue }
            at(.key(key)) { decoder in
                if let first = decoder.settingPositions[key] {
                    decoder.faults.add(value, "\(key) was set already at \(first)", expected: "each setting in one file only")
                    return
                }
                decoder.settingPositions[key] = decoder.faults.position(value)
                decoder.setting(key, value)
            }
        }
    }

    private mutating func setting(_ key: String, _ node: YAMLNode) {
        switch key {
        case "on-drift": choice(node).map { configuration.daemon.onDrift = $0 }
        case "on-stop": choice(node).map { configuration.daemon.onStop = $0 }
        case "hook-position": choice(node).map { configuration.daemon.hookPosition = $0 }
        case "check-interval":
            duration(node, .milliseconds(100), .seconds(3600)).map { configuration.daemon.checkInterval = $0 }
        case "resync-interval":
            duration(node, .seconds(1), .seconds(86400)).map { configuration.daemon.resyncInterval = $0 }
        case "lock-timeout":
            duration(node, .milliseconds(100), .seconds(600)).map { configuration.daemon.lockTimeout = $0 }
        default:
            value(node) { (text) throws(InvalidValue) in try ListenAddress(parsing: text) }
                .map { configuration.daemon.metricsListen = $0 }
        }
    }

    private mutating func ftp(_ node: YAMLNode) -> FTPService? {
        let keys = ["name", "mark", "addresses", "control-port", "passive-ports", "active"]
        let values = members(node, known: keys, required: ["name", "mark", "addresses", "passive-ports"])
        let name = name(values["name"])
        let mark = member("mark", values) { (text) throws(InvalidValue) in try Mark(parsing: text) }
        let addresses = prefixes("addresses", values)
        let control = port("control-port", values, default: 21)
        let passive = member("passive-ports", values) { (text) throws(InvalidValue) in try PortRange(parsing: text) }
        var active: FTPService.Active?
        if let node = values["active"] {
            active = at(.key("active")) { $0.active(node) }
        }
        guard let name, let mark, let addresses, let control, let passive, values["active"] == nil || active != nil else { return nil }
        return FTPService(
            name: name, mark: mark, addresses: addresses, controlPort: control, passivePorts: passive, active: active,
            position: faults.position(node))
    }

    private mutating func active(_ node: YAMLNode) -> FTPService.Active? {
        let values = members(node, known: ["real-servers", "data-port", "to"], required: ["real-servers"])
        let servers = prefixes("real-servers", values)
        let port = port("data-port", values, default: 20)
        let to = translation(values, sources: servers, "real-servers")
        guard let servers, let port, let to else { return nil }
        return FTPService.Active(realServers: servers, dataPort: port, to: to)
    }

    private mutating func service(_ node: YAMLNode) -> Service? {
        let keys = ["name", "mark", "addresses", "tcp", "udp", "sctp", "in-interface"]
        let values = members(node, known: keys, required: ["name", "mark", "addresses"])
        let name = name(values["name"])
        let mark = member("mark", values) { (text) throws(InvalidValue) in try Mark(parsing: text) }
        let addresses = prefixes("addresses", values)
        let ports = ports(values)
        if values["tcp"] == nil, values["udp"] == nil, values["sctp"] == nil {
            faults.add(node, "the service has no ports", expected: "at least one of tcp, udp and sctp")
            return nil
        }
        let interface = interface("in-interface", values)
        guard let name, let mark, let addresses, let ports, let interface else { return nil }
        return Service(
            name: name, mark: mark, addresses: addresses, ports: ports, inInterface: interface, position: faults.position(node))
    }

    private mutating func masquerade(_ node: YAMLNode) -> Masquerade? {
        let keys = ["name", "sources", "tcp", "udp", "sctp", "destinations", "out-interface", "to"]
        let values = members(node, known: keys, required: ["name", "sources"])
        let name = name(values["name"])
        let sources = prefixes("sources", values)
        let ports = ports(values)
        var destinations: [AddressMatch]? = []
        if let node = values["destinations"] {
            destinations = at(.key("destinations")) { decoder in
                decoder.list(node) { (text) throws(InvalidValue) in try AddressMatch(parsing: text) }
            }
        }
        let interface = interface("out-interface", values)
        let to = translation(values, sources: sources, "sources")
        if let sources, let destinations, let node = values["destinations"] {
            let families = Set(sources.map(\.family))
            if let stray = destinations.first(where: { !families.contains($0.prefix.family) }) {
                at(.key("destinations")) { decoder in
                    decoder.faults.add(
                        node, "\(stray.prefix) is an \(stray.prefix.family) destination, and no source is \(stray.prefix.family)",
                        expected: "destinations of the sources' family")
                }
                return nil
            }
        }
        guard let name, let sources, let ports, let destinations, let interface, let to else { return nil }
        return Masquerade(
            name: name, sources: sources, ports: ports, destinations: destinations, outInterface: interface, to: to,
            position: faults.position(node))
    }

    // MARK: - Members of an entry

    private mutating func name(_ node: YAMLNode?) -> String? {
        guard let node else { return nil }
        return at(.key("name")) { decoder in
            decoder.value(node) { (text) throws(InvalidValue) in
                let isPlain = text.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                        true
                    default: false
                    }
                }
                guard isPlain, (1...64).contains(text.utf8.count) else {
                    throw InvalidValue(problem: "\"\(text)\" is not a name", expected: "1 to 64 letters, digits, '.', '_' and '-'")
                }
                return text
            }
        }
    }

    private mutating func prefixes(_ key: String, _ values: [String: YAMLNode]) -> [Prefix]? {
        guard let node = values[key] else { return nil }
        return at(.key(key)) { decoder in
            decoder.list(node) { (text) throws(InvalidValue) in try Prefix(parsing: text) }
        }
    }

    private mutating func ports(_ values: [String: YAMLNode]) -> [TransportProtocol: [PortRange]]? {
        var ports: [TransportProtocol: [PortRange]] = [:]
        var isWhole = true
        for transport in TransportProtocol.allCases {
            guard let node = values[transport.rawValue] else { continue }
            let ranges = at(.key(transport.rawValue)) { decoder in
                decoder.list(node) { (text) throws(InvalidValue) in try PortRange(parsing: text) }
            }
            if let ranges { ports[transport] = ranges } else { isWhole = false }
        }
        return isWhole ? ports : nil
    }

    private mutating func port(_ key: String, _ values: [String: YAMLNode], default: UInt16) -> UInt16? {
        guard values[key] != nil else { return `default` }
        return member(key, values) { (text) throws(InvalidValue) in
            let range = try PortRange(parsing: text)
            guard range.lower == range.upper else {
                throw InvalidValue(problem: "\"\(text)\" is a range", expected: "one port")
            }
            return range.lower
        }
    }

    /// - Returns: nil for a fault, `.some(nil)` if the key is absent.
    private mutating func interface(_ key: String, _ values: [String: YAMLNode]) -> InterfacePattern?? {
        guard values[key] != nil else { return .some(nil) }
        return member(key, values) { (text) throws(InvalidValue) in try InterfacePattern(parsing: text) }.map { .some($0) }
    }

    private mutating func translation(_ values: [String: YAMLNode], sources: [Prefix]?, _ key: String) -> SourceTranslation? {
        guard values["to"] != nil else { return .masquerade }
        return member("to", values) { (text) throws(InvalidValue) in
            guard text != "masquerade" else { return .masquerade }
            let address: Address
            do throws(InvalidValue) {
                address = try Address(parsing: text)
            } catch {
                throw InvalidValue(problem: error.problem, expected: "masquerade, or one address without a prefix length")
            }
            if let stray = sources?.first(where: { $0.family != address.family }) {
                throw InvalidValue(
                    problem: "\(stray) in \(key) is \(stray.family) and cannot be translated to \(address)",
                    expected: "an address of the same family, and an entry for each family")
            }
            return .address(address)
        }
    }

    private mutating func choice<Choice: RawRepresentable & CaseIterable>(_ node: YAMLNode) -> Choice? where Choice.RawValue == String {
        value(node) { (text) throws(InvalidValue) in
            guard let choice = Choice(rawValue: text) else {
                throw InvalidValue(
                    problem: "\"\(text)\" is not known here", expected: Choice.allCases.map(\.rawValue).joined(separator: " or "))
            }
            return choice
        }
    }

    private mutating func duration(_ node: YAMLNode, _ shortest: Duration, _ longest: Duration) -> Duration? {
        value(node) { (text) throws(InvalidValue) in
            let wanted = "a number with ms, s, m or h behind it, from \(shortest) to \(longest)"
            let digits = text.prefix { $0.isASCII && $0.isNumber }
            let units: [Substring: Int64] = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]
            guard let number = Int64(digits), let unit = units[text[digits.endIndex...]], number < 1_000_000_000 else {
                throw InvalidValue(problem: "\"\(text)\" is not a duration", expected: wanted)
            }
            let duration = Duration.milliseconds(number * unit)
            guard duration >= shortest, duration <= longest else {
                throw InvalidValue(problem: "\"\(text)\" is out of range", expected: wanted)
            }
            return duration
        }
    }

    // MARK: - Nodes

    private mutating func at<Result>(_ step: FaultList.Step, _ body: (inout ConfigurationDecoder) -> Result) -> Result {
        faults.path.append(step)
        defer { faults.path.removeLast() }
        return body(&self)
    }

    /// The values of a mapping by key; unknown, repeated and missing keys are noted.
    private mutating func members(_ node: YAMLNode, known: [String], required: [String]) -> [String: YAMLNode] {
        guard case .mapping(let pairs) = node.content else {
            faults.add(node, "\(node.kindName) stands here", expected: "a mapping with the keys \(known.joined(separator: ", "))")
            return [:]
        }
        var values: [String: YAMLNode] = [:]
        for (key, value) in pairs {
            guard case .scalar(let name, _) = key.content else {
                faults.add(key, "\(key.kindName) stands in place of a key", expected: "one of \(known.joined(separator: ", "))")
                continue
            }
            if !known.contains(name) {
                let guess = nearest(name, known)
                at(.key(name)) {
                    $0.faults.add(
                        key, "unknown key",
                        expected: guess.map { "\($0), the nearest one known" } ?? "one of \(known.joined(separator: ", "))")
                }
            } else if let first = values[name] {
                at(.key(name)) {
                    $0.faults.add(key, "the key stands twice", expected: "it once; the first is in line \(first.line)")
                }
            } else {
                values[name] = value
            }
        }
        for key in required where values[key] == nil {
            faults.add(node, "\(key) is missing", expected: "the key \(key)")
        }
        return values
    }

    private mutating func entries(_ node: YAMLNode, _ key: String, _ body: (inout ConfigurationDecoder, YAMLNode) -> Void) {
        guard !node.isNull else { return }
        at(.key(key)) { decoder in
            guard case .sequence(let nodes) = node.content else {
                decoder.faults.add(node, "\(node.kindName) stands here", expected: "a list of entries, each behind a dash")
                return
            }
            for (index, node) in nodes.enumerated() { decoder.at(.index(index)) { body(&$0, node) } }
        }
    }

    /// A list of values that is not empty.
    ///
    /// - Returns: nil if there was a fault in it.
    private mutating func list<Value>(_ node: YAMLNode, _ parse: (String) throws(InvalidValue) -> Value) -> [Value]? {
        guard case .sequence(let nodes) = node.content else {
            var hint = "a list"
            if case .scalar(let text, _) = node.content, !node.isNull { hint = "a list: [\(text)]" }
            faults.add(node, "\(node.kindName) stands here", expected: hint)
            return nil
        }
        guard !nodes.isEmpty else {
            faults.add(node, "the list is empty", expected: "at least one value")
            return nil
        }
        var values: [Value] = []
        values.reserveCapacity(nodes.count)
        for (index, node) in nodes.enumerated() {
            if let value = at(.index(index), { $0.value(node, parse) }) { values.append(value) }
        }
        return values.count == nodes.count ? values : nil
    }

    private mutating func member<Value>(
        _ key: String, _ values: [String: YAMLNode], _ parse: (String) throws(InvalidValue) -> Value
    ) -> Value? {
        guard let node = values[key] else { return nil }
        return at(.key(key)) { $0.value(node, parse) }
    }

    private mutating func value<Value>(_ node: YAMLNode, _ parse: (String) throws(InvalidValue) -> Value) -> Value? {
        guard case .scalar(let text, _) = node.content, !node.isNull else {
            faults.add(node, "\(node.kindName) stands here", expected: "a single value")
            return nil
        }
        do {
            return try parse(text)
        } catch {
            faults.add(node, error)
            return nil
        }
    }
}
