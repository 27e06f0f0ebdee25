import Rules

/// The values of a mapping by key.
struct Members {
    /// Few enough that looking through them is faster than a dictionary.
    fileprivate var pairs: [(key: String, value: YAMLNode)] = []
    /// False if there was a syntax error in the mapping, or no mapping at all: a key that is missing means nothing then.
    fileprivate(set) var isWhole: Bool
    /// Known keys that are nearest to unknown ones. One fault for one mistake: these are not missing as well.
    fileprivate(set) var misspelt: [String] = []

    subscript(key: String) -> YAMLNode? { pairs.first { $0.key == key }?.value }
}

extension ConfigurationDecoder {
    // MARK: - Members of an entry

    mutating func name(_ values: Members, _ section: String, _ index: Int) -> String? {
        let name = member("name", values) { (text) throws(InvalidValue) in
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
        if let name, let node = values["name"] {
            let entry = Name(text: name, section: section, index: index, position: faults.position(node))
            if section != "masquerade" { names.marking.append(entry) }
            if section == "masquerade" || values["active"] != nil { names.translating.append(entry) }
        }
        return name
    }

    mutating func prefixes(_ key: String, _ values: Members) -> [Prefix]? {
        guard let node = values[key] else { return nil }
        return at(.key(key)) { decoder in
            decoder.list(node) { (text) throws(InvalidValue) in try Prefix(parsing: text) }
        }
    }

    mutating func ports(_ values: Members) -> [TransportProtocol: [PortRange]]? {
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

    mutating func port(_ key: String, _ values: Members, default: UInt16) -> UInt16? {
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
    mutating func interface(_ key: String, _ values: Members) -> InterfacePattern?? {
        guard values[key] != nil else { return .some(nil) }
        return member(key, values) { (text) throws(InvalidValue) in try InterfacePattern(parsing: text) }.map { .some($0) }
    }

    mutating func destinations(_ values: Members, sources: [Prefix]?) -> [AddressMatch]? {
        guard let node = values["destinations"] else { return nil }
        return at(.key("destinations")) { decoder in
            let matches = decoder.list(node) { (text) throws(InvalidValue) in
                let match = try AddressMatch(parsing: text)
                guard !match.isInverted || match.prefix.length > 0 else {
                    throw InvalidValue(
                        problem: "\"\(text)\" leaves no address at all",
                        expected: "a prefix that is not all of \(match.prefix.family)")
                }
                return match
            }
            guard let matches, let sources, case .sequence(let nodes) = node.content else { return matches }
            let families = Set(sources.map(\.family))
            for (index, match) in matches.enumerated() where !families.contains(match.prefix.family) {
                decoder.at(.index(index)) {
                    $0.faults.add(
                        nodes[index],
                        "\(match.prefix) is an \(match.prefix.family) destination, and no source is \(match.prefix.family)",
                        expected: "destinations of the sources' family")
                }
            }
            // Whoever names where packets go does not mean that those of the other family go anywhere.
            if matches.contains(where: { !$0.isInverted }) {
                for source in sources where !matches.contains(where: { $0.prefix.family == source.family }) {
                    decoder.faults.add(
                        node, "no destination is \(source.family), and the source \(source) is",
                        expected: "destinations of both families, or an entry for each family")
                    break
                }
            }
            return matches
        }
    }

    mutating func translation(_ values: Members, sources: [Prefix]?, _ key: String) -> SourceTranslation? {
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

    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ node: YAMLNode) -> Choice? where Choice.RawValue == String {
        value(node) { (text) throws(InvalidValue) in
            guard let choice = Choice(rawValue: text) else {
                throw InvalidValue(
                    problem: "\"\(text)\" is not known here", expected: Choice.allCases.map(\.rawValue).joined(separator: " or "))
            }
            return choice
        }
    }

    /// A duration between two others, which are written as the file would write them.
    mutating func duration(_ node: YAMLNode, from shortest: String, to longest: String) -> Duration? {
        func parse(_ text: String) -> Duration? {
            let digits = text.prefix { $0.isASCII && $0.isNumber }
            let units: KeyValuePairs<Substring, Int64> = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]
            guard let number = Int64(digits), number < 1_000_000_000, digits == "0" || digits.first != "0",
                let unit = units.first(where: { $0.key == text[digits.endIndex...] })?.value
            else { return nil }
            return .milliseconds(number * unit)
        }
        return value(node) { (text) throws(InvalidValue) in
            let wanted = "a number with ms, s, m or h behind it, from \(shortest) to \(longest)"
            guard let duration = parse(text) else {
                throw InvalidValue(problem: "\"\(text)\" is not a duration", expected: wanted)
            }
            guard let first = parse(shortest), let last = parse(longest), (first...last).contains(duration) else {
                throw InvalidValue(problem: "\"\(text)\" is out of range", expected: wanted)
            }
            return duration
        }
    }

    // MARK: - Nodes

    mutating func at<Result>(_ step: FaultList.Step, _ body: (inout ConfigurationDecoder) -> Result) -> Result {
        faults.path.append(step)
        defer { faults.path.removeLast() }
        return body(&self)
    }

    /// The values of a mapping by key; unknown, repeated and missing keys are noted.
    mutating func members(_ node: YAMLNode, known: [String], required: [String]) -> Members {
        var values = Members(isWhole: node.isWhole)
        guard case .mapping(let pairs) = node.content else {
            note(node, "a mapping with the keys \(known.joined(separator: ", "))")
            values.isWhole = false
            return values
        }
        values.pairs.reserveCapacity(pairs.count)
        for (key, value) in pairs {
            guard case .scalar(let name, _) = key.content else {
                if case .refused = key.content { continue }
                faults.add(key, "\(key.kindName) stands in place of a key", expected: "one of \(known.joined(separator: ", "))")
                continue
            }
            if !known.contains(name) {
                let guess = nearest(name, known)
                if let guess { values.misspelt.append(guess) }
                at(.key(name)) {
                    $0.faults.add(
                        key, "unknown key",
                        expected: guess.map { "\($0), the nearest one known" } ?? "one of \(known.joined(separator: ", "))")
                }
            } else if values[name] != nil, let first = pairs.first(where: { $0.key.isScalar(name) })?.key {
                at(.key(name)) {
                    $0.faults.add(key, "the key stands twice", expected: "it once; the first is in line \(first.line)")
                }
            } else {
                values.pairs.append((name, value))
            }
        }
        for key in required where values.isWhole && values[key] == nil && !values.misspelt.contains(key) {
            faults.add(node, "\(key) is missing", expected: "the key \(key)")
        }
        return values
    }

    mutating func entries(_ node: YAMLNode?, _ key: String, _ body: (inout ConfigurationDecoder, YAMLNode, Int) -> Void) {
        guard let node, !node.isNull else { return }
        at(.key(key)) { decoder in
            guard case .sequence(let nodes) = node.content else {
                decoder.note(node, "a list of entries, each behind a dash")
                return
            }
            for (index, node) in nodes.enumerated() { decoder.at(.index(index)) { body(&$0, node, index) } }
        }
    }

    /// A list of values that is not empty.
    ///
    /// - Returns: nil if there was a fault in it.
    mutating func list<Value>(_ node: YAMLNode, _ parse: (String) throws(InvalidValue) -> Value) -> [Value]? {
        guard case .sequence(let nodes) = node.content else {
            var hint = "a list"
            if case .scalar(let text, _) = node.content, !node.isNull { hint = "a list: [\(text)]" }
            note(node, hint)
            return nil
        }
        guard !nodes.isEmpty || !node.isWhole else {
            faults.add(node, "the list is empty", expected: "at least one value")
            return nil
        }
        var values: [Value] = []
        values.reserveCapacity(nodes.count)
        for (index, node) in nodes.enumerated() {
            if let value = at(.index(index), { $0.value(node, parse) }) { values.append(value) }
        }
        return values.count == nodes.count && node.isWhole ? values : nil
    }

    mutating func member<Value>(_ key: String, _ values: Members, _ parse: (String) throws(InvalidValue) -> Value) -> Value? {
        guard let node = values[key] else { return nil }
        return at(.key(key)) { $0.value(node, parse) }
    }

    mutating func value<Value>(_ node: YAMLNode, _ parse: (String) throws(InvalidValue) -> Value) -> Value? {
        guard case .scalar(let text, _) = node.content, !node.isNull else {
            // "[2001:db8::]" is a mapping to YAML.
            let isAddress =
                if case .mapping(let pairs) = node.content { pairs.first?.key.isScalar { $0.contains(":") } ?? false } else {
                    false
                }
            note(node, isAddress ? "a single value; an IPv6 address that ends in a colon needs quotes" : "a single value")
            return nil
        }
        do {
            return try parse(text)
        } catch {
            faults.add(node, error)
            return nil
        }
    }

    /// Notes that a node is not of the wanted kind, unless that was noted when it was read.
    private mutating func note(_ node: YAMLNode, _ expected: String) {
        if case .refused = node.content { return }
        faults.add(node, "\(node.kindName) stands here", expected: expected)
    }
}

extension YAMLNode {
    fileprivate func isScalar(_ text: String) -> Bool { isScalar { $0 == text } }

    fileprivate func isScalar(_ predicate: (String) -> Bool) -> Bool {
        guard case .scalar(let text, _) = content else { return false }
        return predicate(text)
    }
}
