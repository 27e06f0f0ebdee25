/// Why a rule cannot be read.
struct RuleProblem: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Reads the options of one rule.
struct RuleParser {
    private let words: [[UInt8]]
    private let family: Family
    private let isChain: (ChainName) -> Bool
    private var index = 0
    private var match = RuleMatch()
    private var sources: [AddressMatch] = []
    private var destinations: [AddressMatch] = []
    private var comment: String?
    private var target: Target?
    private var modules: [String] = []
    /// A module or a target of which only the name is known, and its options so far.
    private var unknown: (name: String, words: [String])?
    private var isInverted = false

    init(_ words: [[UInt8]], _ family: Family, _ isChain: @escaping (ChainName) -> Bool) {
        self.words = words
        self.family = family
        self.isChain = isChain
    }

    /// The rule; several where lists of addresses are given.
    mutating func parse() throws(RuleProblem) -> [Rule] {
        while index < words.count { try option() }
        endUnknown()
        guard !isInverted else { throw RuleProblem("a \"!\" inverts nothing") }
        var rules: [Rule] = []
        for source in sources.isEmpty ? [nil] : sources.map(Optional.some) {
            for destination in destinations.isEmpty ? [nil] : destinations.map(Optional.some) {
                var match = match
                match.source = source
                match.destination = destination
                rules.append(Rule(match, comment: comment, target: target ?? .none))
            }
        }
        return rules
    }

    // MARK: - Options

    private func string(_ index: Int) -> String { String(decoding: words[index], as: UTF8.self) }

    private mutating func option() throws(RuleProblem) {
        let word = string(index)
        index += 1
        if word == "!" {
            isInverted = true
            return
        }
        defer { isInverted = false }
        if try headOption(word) { return }
        if unknown != nil, word != "-m", word != "--match", word != "-j", word != "-g" {
            unknown?.words.append((isInverted ? "! " : "") + word)
            return
        }
        if try matchOption(word) { return }
        if try targetOption(word) { return }
        throw RuleProblem("the option \(printable(word)) is not known")
    }

    /// The option's value; a "!" may come before it.
    private mutating func value(_ option: String) throws(RuleProblem) -> String {
        if index < words.count, string(index) == "!" {
            isInverted = true
            index += 1
        }
        guard index < words.count else { throw RuleProblem("\(option) has no value") }
        defer { index += 1 }
        return string(index)
    }

    private mutating func headOption(_ word: String) throws(RuleProblem) -> Bool {
        switch word {
        case "-s", "--source", "--src": sources = try addresses(value(word))
        case "-d", "--destination", "--dst": destinations = try addresses(value(word))
        case "-i", "--in-interface": match.inInterface = try interface(value(word))
        case "-o", "--out-interface": match.outInterface = try interface(value(word))
        case "-p", "--protocol", "--proto":
            let name = try value(word)
            let number = try RuleParser.protocolNumber(name)
            if number != 0 || family == .ipv6 && name != "all" { match.transport = ProtocolMatch(number, isInverted: isInverted) }
        case "-f", "--fragment": match.isFurtherFragment = !isInverted
        case "-c", "--set-counters": index += 2
        case "-m", "--match":
            endUnknown()
            let module = try value(word)
            modules.append(module)
            let known: Set<String> = [
                "tcp", "udp", "sctp", "multiport", "mark", "connmark", "mac", "comment", "state", "conntrack", "icmp", "icmp6",
                "ipv6-icmp",
                "addrtype", "iprange",
            ]
            if !known.contains(module) { unknown = (module, []) }
        case "-j", "--jump", "-g", "--goto":
            endUnknown()
            guard index < words.count else { throw RuleProblem("\(word) has no value") }
            let name = ChainName(bytes: words[index])
            let text = try value(word)
            target =
                RuleParser.target(text)
                ?? (isChain(name) || word.hasPrefix("-g") || word == "--goto"
                    ? (word == "-g" || word == "--goto" ? .goTo(name) : .jump(name)) : nil)
            if target == nil { unknown = ("-j " + text, []) }
        default: return false
        }
        return true
    }

    private static func target(_ name: String) -> Target? {
        switch name {
        case "ACCEPT": .accept
        case "DROP": .drop
        case "RETURN": .returnToCaller
        case "QUEUE": .queue
        case "MASQUERADE": .masquerade(TranslationOptions())
        // What they do is said by options that follow.
        case "MARK": .mark(MarkOperation(value: 0, mask: 0))
        case "CONNMARK": .connectionMark(.set(value: 0, mask: 0))
        case "SNAT": .other(ExtensionBytes(name: "SNAT", revision: 0, bytes: []))
        case "CT": .other(ExtensionBytes(name: "CT", revision: 0, bytes: []))
        default: nil
        }
    }

    private mutating func endUnknown() {
        guard let (name, words) = unknown else { return }
        unknown = nil
        let bytes = Array(words.joined(separator: " ").utf8)
        if name.hasPrefix("-j ") {
            target = .other(ExtensionBytes(name: String(name.dropFirst(3)), revision: 0, bytes: bytes))
        } else {
            match.conditions.append(.other(ExtensionBytes(name: name, revision: 0, bytes: bytes)))
        }
    }

    // MARK: - Matches

    private mutating func matchOption(_ word: String) throws(RuleProblem) -> Bool {
        switch word {
        case "--sport", "--source-port": try ports(.source, value(word), isMultiport: false)
        case "--dport", "--destination-port": try ports(.destination, value(word), isMultiport: false)
        case "--sports", "--source-ports": try ports(.source, value(word), isMultiport: true)
        case "--dports", "--destination-ports": try ports(.destination, value(word), isMultiport: true)
        case "--ports": try ports(.either, value(word), isMultiport: true)
        case "--syn": match.conditions.append(.tcpFlags(examined: 0x17, set: 0x02, isInverted: isInverted))
        case "--tcp-flags":
            let examined = try RuleParser.tcpFlags(value(word))
            let set = try RuleParser.tcpFlags(value(word))
            match.conditions.append(.tcpFlags(examined: examined, set: set, isInverted: isInverted))
        case "--icmp-type", "--icmpv6-type":
            let (type, codes) = try RuleParser.icmp(value(word), family)
            match.conditions.append(.icmp(type: type, codes: codes, isInverted: isInverted))
        case "--mark":
            let (mark, mask) = try RuleParser.mark(value(word))
            let condition = MarkMatch(value: mark, mask: mask, isInverted: isInverted)
            match.conditions.append(modules.last == "connmark" ? .connectionMark(condition) : .mark(condition))
        case "--mac-source":
            let text = try value(word)
            guard let address = try? MACAddress(parsing: text) else { throw RuleProblem("\(text) is not a MAC address") }
            match.conditions.append(.mac(address, isInverted: isInverted))
        case "--state", "--ctstate":
            let states = try RuleParser.states(value(word))
            match.conditions.append(.connectionState(states, isInverted: isInverted))
        case "--src-type", "--dst-type":
            let types = try RuleParser.addressTypes(value(word))
            match.conditions.append(
                .addressType(
                    word == "--src-type"
                        ? AddressTypeMatch(source: types, isSourceInverted: isInverted)
                        : AddressTypeMatch(destination: types, isDestinationInverted: isInverted)))
        case "--src-range", "--dst-range":
            let ends = try value(word).split(separator: "-").map(String.init)
            guard let low = ends.first, let first = try? Address(parsing: low), let last = try? Address(parsing: ends.last ?? "")
            else {
                throw RuleProblem("\(ends.joined(separator: "-")) is not a range of addresses")
            }
            match.conditions.append(
                .addressRange(
                    side: word == "--src-range" ? .source : .destination, first: first, last: last, isInverted: isInverted))
        case "--comment":
            let text = try value(word)
            if comment == nil { comment = text }
        default: return false
        }
        return true
    }

    private mutating func ports(_ side: PortMatch.Side, _ text: String, isMultiport: Bool) throws(RuleProblem) {
        let ranges = try RuleParser.portRanges(text)
        guard match.transport?.isInverted == false else { throw RuleProblem("ports need a protocol") }
        match.conditions.append(.ports(PortMatch(side, ranges, isInverted: isInverted, isMultiport: isMultiport)))
    }

    // MARK: - Targets

    private mutating func targetOption(_ word: String) throws(RuleProblem) -> Bool {
        switch (target, word) {
        case (.mark?, "--set-mark"), (.mark?, "--set-xmark"), (.mark?, "--and-mark"), (.mark?, "--or-mark"), (.mark?, "--xor-mark"):
            let (mark, mask) = try operation(word)
            target = .mark(MarkOperation(value: mark, mask: mask))
        case (.connectionMark?, "--set-mark"), (.connectionMark?, "--set-xmark"), (.connectionMark?, "--and-mark"),
            (.connectionMark?, "--or-mark"), (.connectionMark?, "--xor-mark"):
            let (mark, mask) = try operation(word)
            target = .connectionMark(.set(value: mark, mask: mask))
        case (.connectionMark?, "--save-mark"): target = .connectionMark(.save(connectionMask: .max, packetMask: .max))
        case (.connectionMark?, "--restore-mark"): target = .connectionMark(.restore(connectionMask: .max, packetMask: .max))
        case (.connectionMark(let operation)?, "--mask"), (.connectionMark(let operation)?, "--nfmask"),
            (.connectionMark(let operation)?, "--ctmask"):
            let (mask, _) = try RuleParser.mark(value(word))
            target = .connectionMark(operation.masked(mask, word))
        case (.masquerade(var options)?, "--random"):
            options.isRandom = true
            target = .masquerade(options)
        case (.masquerade(var options)?, "--random-fully"):
            options.isFullyRandom = true
            target = .masquerade(options)
        case (.masquerade(var options)?, "--to-ports"):
            options.ports = try RuleParser.portRanges(value(word), separator: "-").first
            target = .masquerade(options)
        case (.other(let other)?, "--to-source") where other.name == "SNAT": target = .sourceNAT(try RuleParser.range(value(word)))
        case (.sourceNAT(let range)?, "--random"), (.sourceNAT(let range)?, "--random-fully"),
            (.sourceNAT(let range)?, "--persistent"):
            var options = range.options
            if word == "--random" { options.isRandom = true }
            if word == "--random-fully" { options.isFullyRandom = true }
            if word == "--persistent" { options.isPersistent = true }
            target = .sourceNAT(SourceRange(range.first, range.last, options: options))
        case (.other(let other)?, "--helper") where other.name == "CT": target = .helper(try value(word))
        case (.other(let other)?, _) where other.name == "CT":
            target = .other(ExtensionBytes(name: "CT", revision: 0, bytes: other.bytes + Array(word.utf8)))
        default: return false
        }
        return true
    }

    private mutating func operation(_ word: String) throws(RuleProblem) -> (value: UInt32, mask: UInt32) {
        let (mark, mask) = try RuleParser.mark(value(word))
        switch word {
        case "--set-mark": return (mark, mask | mark)
        case "--and-mark": return (0, ~mark)
        case "--or-mark": return (mark, mark)
        case "--xor-mark": return (mark, 0)
        default: return (mark, mask)
        }
    }

    // MARK: - Values

    private func addresses(_ text: String) throws(RuleProblem) -> [AddressMatch] {
        var matches: [AddressMatch] = []
        for part in text.split(separator: ",") {
            let prefix = try RuleParser.prefix(String(part))
            guard prefix.family == family else { throw RuleProblem("\(part) does not belong into an \(family) table") }
            if prefix.length > 0 || isInverted { matches.append(AddressMatch(prefix, isInverted: isInverted)) }
        }
        return matches
    }

    private func interface(_ name: String) throws(RuleProblem) -> InterfaceMatch? {
        if name == "+" && !isInverted { return nil }
        guard let pattern = try? InterfacePattern(parsing: name) else {
            throw RuleProblem("\(name) is not the name of an interface")
        }
        return InterfaceMatch(pattern, isInverted: isInverted)
    }
}

extension ConnectionMarkOperation {
    /// The same under another mask.
    fileprivate func masked(_ mask: UInt32, _ option: String) -> ConnectionMarkOperation {
        let (isPacket, isConnection) = (option != "--ctmask", option != "--nfmask")
        switch self {
        case .set: return self
        case .save(let connection, let packet):
            return .save(connectionMask: isConnection ? mask : connection, packetMask: isPacket ? mask : packet)
        case .restore(let connection, let packet):
            return .restore(connectionMask: isConnection ? mask : connection, packetMask: isPacket ? mask : packet)
        }
    }
}
