/// A rule read from the words of `iptables-save`, or of a person at the command line: as much of it as `Rule` has words for.
///
/// What was understood never asks for more than the rule does: every packet that fits the rule fits `source`, `destination`
/// and the other parts as well.
package struct ParsedRule: Sendable, Hashable {
    /// `-s`
    package private(set) var source: AddressMatch?
    /// `-d`
    package private(set) var destination: AddressMatch?
    /// `-i`
    package private(set) var inInterface: InterfacePattern?
    /// `-o`
    package private(set) var outInterface: InterfacePattern?
    /// `-p` and the ports.
    package private(set) var transport: TransportMatch?
    /// The remark.
    package private(set) var comment: String?
    /// What stands behind `-j` or `-g`; nil: nothing.
    package private(set) var targetName: String?
    /// Whether it stands behind `-g`.
    package private(set) var isGoto = false
    /// What no `Rule` says, as it stands there: `-m conntrack`, `! -o docker0`.
    package private(set) var unknown: [String] = []

    /// Whether what stands behind `-j` or `-g` is a chain.
    package private(set) var leadsToChain = false

    private var target: Target?

    /// The rule, if nothing of it is unknown.
    package var rule: Rule? {
        guard unknown.isEmpty, let target else { return nil }
        return Rule(
            source: source, destination: destination, inInterface: inInterface, outInterface: outInterface, transport: transport,
            comment: comment, target: target)
    }

    /// The mark that it sets, as far as that is understood, whatever else the rule asks for.
    package var mark: Mark? {
        guard case .mark(let mark)? = target else { return nil }
        return mark
    }

    /// Reads the words behind `-A CHAIN`. A target is taken for a chain if `isChain` says so.
    package init(_ words: some Collection<String>, _ family: Family, isChain: (String) -> Bool) {
        var reader = Reader(words: Array(words), family: family)
        reader.read(isChain)
        self = reader.result
        transport = reader.transport
        unknown = reader.unknown
    }

    private init() {}

    /// What asks for these parts, and has no target; for comparisons with `mayMeet`.
    package init(
        source: AddressMatch? = nil, destination: AddressMatch? = nil, inInterface: InterfacePattern? = nil,
        outInterface: InterfacePattern? = nil, transport: TransportMatch? = nil
    ) {
        self.source = source
        self.destination = destination
        self.inInterface = inInterface
        self.outInterface = outInterface
        self.transport = transport
    }

    /// The words of a line as a shell would separate them: by blanks, with double and single quotes and backslashes.
    ///
    /// - Returns: nil for a quote without end.
    package static func words(of line: some StringProtocol) -> [String]? {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in line {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
                word = word ?? ""
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if quote == nil, character == " " || character == "\t" {
                if let word { words.append(word) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let word { words.append(word) }
        return quote == nil && !isEscaped ? words : nil
    }

    /// The words as one line, with quotes around those that need them.
    package static func line(of words: some Sequence<String>) -> String {
        words.map { word in word.isEmpty || word.contains { " \t\"'\\".contains($0) } ? quoted(word) : word }.joined(separator: " ")
    }
}

extension ParsedRule {
    /// Goes through the words once.
    private struct Reader {
        let words: [String]
        let family: Family
        var index = 0
        var result = ParsedRule()
        var unknown: [String] = []
        /// The protocol, and the ports of one side if any were named.
        private var transportProtocol: TransportProtocol?
        private var ports: TransportMatch.Ports?
        private var modules: Set<String> = []

        init(words: [String], family: Family) {
            self.words = words
            self.family = family
        }

        var transport: TransportMatch? { transportProtocol.map { TransportMatch($0, ports ?? .any) } }

        mutating func read(_ isChain: (String) -> Bool) {
            while index < words.count {
                let isInverted = words[index] == "!"
                if isInverted { index += 1 }
                guard index < words.count else { return unknown.append("!") }
                let start = isInverted ? index - 1 : index
                let option = words[index]
                index += 1
                if !self.option(option, isInverted, isChain) {
                    // Up to the next option, so that the remark shows the whole of what is not understood.
                    while index < words.count, !words[index].hasPrefix("-"), words[index] != "!" { index += 1 }
                    unknown.append(words[start..<min(index, words.count)].joined(separator: " "))
                }
            }
        }

        private mutating func argument() -> String? {
            guard index < words.count else { return nil }
            index += 1
            return words[index - 1]
        }

        /// Reads an option's argument and takes it in.
        ///
        /// - Returns: false if no rule of ours says it.
        private mutating func option(_ option: String, _ isInverted: Bool, _ isChain: (String) -> Bool) -> Bool {
            switch option {
            case "-s", "--source", "--src": return address(\.source, isInverted)
            case "-d", "--destination", "--dst": return address(\.destination, isInverted)
            case "-i", "--in-interface": return interface(\.inInterface, isInverted)
            case "-o", "--out-interface": return interface(\.outInterface, isInverted)
            case "-p", "--protocol", "--proto": return protocolName(isInverted)
            case "-m", "--match": return module(isInverted)
            case "--sport", "--source-port": return range(isInverted) { .source($0) }
            case "--dport", "--destination-port": return range(isInverted) { .destination($0) }
            case "--sports", "--source-ports": return ranges(isInverted) { .sources($0) }
            case "--dports", "--destination-ports": return ranges(isInverted) { .destinations($0) }
            case "--comment":
                guard !isInverted, modules.contains("comment"), let text = argument() else { return false }
                result.comment = text
                return true
            case "-j", "--jump", "-g", "--goto":
                guard !isInverted, result.targetName == nil, let name = argument() else { return false }
                return target(name, isGoto: option == "-g" || option == "--goto", isChain)
            case "--set-xmark", "--set-mark", "--or-mark":
                return !isInverted && mark(option)
            case "--to-source":
                guard !isInverted, result.targetName == "SNAT", let text = argument(), let address = try? Address(parsing: text),
                    address.family == family
                else { return false }
                result.target = .sourceNAT(address)
                return true
            case "-c", "--set-counters":
                return argument() != nil && argument() != nil
            default: return false
            }
        }

        // MARK: - The head

        private mutating func address(_ part: WritableKeyPath<ParsedRule, AddressMatch?>, _ isInverted: Bool) -> Bool {
            guard let text = argument(), let prefix = prefix(text), result[keyPath: part] == nil else { return false }
            if prefix.length > 0 || isInverted { result[keyPath: part] = AddressMatch(prefix, isInverted: isInverted) }
            return true
        }

        /// An address with a prefix length or a netmask; bits behind it are dropped, as iptables does.
        private func prefix(_ text: String) -> Prefix? {
            let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let address = try? Address(parsing: halves[0]), address.family == family else { return nil }
            guard halves.count == 2 else { return Prefix(address) }
            if let mask = try? Address(parsing: halves[1]), mask.family == family {
                let prefix = Prefix(containing: address, length: mask.bits.nonzeroBitCount)
                return prefix.mask == mask.bits ? prefix : nil
            }
            guard let length = Int(halves[1]), (0...family.bitWidth).contains(length) else { return nil }
            return Prefix(containing: address, length: length)
        }

        private mutating func interface(_ part: WritableKeyPath<ParsedRule, InterfacePattern?>, _ isInverted: Bool) -> Bool {
            guard let text = argument(), !isInverted, let pattern = try? InterfacePattern(parsing: text) else { return false }
            if text != "+" { result[keyPath: part] = pattern }
            return true
        }

        private mutating func protocolName(_ isInverted: Bool) -> Bool {
            guard let text = argument()?.lowercased(), !isInverted, transportProtocol == nil else { return false }
            if text == "all" || text == "0" { return true }
            guard let found = TransportProtocol(rawValue: text) ?? UInt8(text).flatMap(TransportProtocol.init(number:)) else {
                return false
            }
            transportProtocol = found
            return true
        }

        // MARK: - Matches

        private mutating func module(_ isInverted: Bool) -> Bool {
            guard let name = argument(), !isInverted,
                name == "comment" || (transportProtocol != nil && (name == "multiport" || name == transportProtocol?.rawValue))
            else { return false }
            modules.insert(name)
            return true
        }

        private mutating func range(_ isInverted: Bool, _ make: (PortRange) -> TransportMatch.Ports) -> Bool {
            guard let text = argument(), !isInverted, ports == nil, transportProtocol != nil, let range = portRange(text) else {
                return false
            }
            if range != .all { ports = make(range) }
            return true
        }

        private mutating func ranges(_ isInverted: Bool, _ make: ([PortRange]) -> TransportMatch.Ports) -> Bool {
            guard let text = argument(), !isInverted, ports == nil, modules.contains("multiport") else { return false }
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            let ranges = parts.compactMap { portRange(String($0)) }
            guard ranges.count == parts.count else { return false }
            ports = make(ranges)
            return true
        }

        /// `21`, `10000:20000`, `:1023`, `1024:`.
        private func portRange(_ text: String) -> PortRange? {
            let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if halves.count == 1 { return UInt16(halves[0]).map { PortRange($0) } }
            guard let lower = halves[0].isEmpty ? 0 : UInt16(halves[0]), let upper = halves[1].isEmpty ? 65535 : UInt16(halves[1]),
                lower <= upper
            else { return nil }
            return PortRange(lower, upper)
        }

        // MARK: - Targets

        private mutating func target(_ name: String, isGoto: Bool, _ isChain: (String) -> Bool) -> Bool {
            result.targetName = name
            result.isGoto = isGoto
            switch name {
            case _ where isGoto || isChain(name):
                result.leadsToChain = true
                guard let chain = try? ChainName(name) else { return false }
                result.target = isGoto ? .goTo(chain) : .jump(chain)
            case "ACCEPT": result.target = .accept
            case "DROP": result.target = .drop
            case "RETURN": result.target = .returnToCaller
            case "MASQUERADE": result.target = .masquerade
            // What follows says to which mark or address; without it the rule stays without a target.
            case "MARK", "SNAT": break
            default: return false
            }
            return true
        }

        private mutating func mark(_ option: String) -> Bool {
            guard result.targetName == "MARK", result.target == nil, let text = argument() else { return false }
            let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let numbers = halves.compactMap { number($0) }
            guard numbers.count == halves.count, let value = numbers.first else { return false }
            // --set-xmark zeroes the bits of the mask and XORs the value, --set-mark zeroes those of mask and value and ORs it
            // (iptables-extensions(8)); where the value lies within the mask both are what `Mark` does.
            let mask: UInt32
            switch option {
            case "--or-mark": mask = value
            case "--set-mark": mask = numbers.count == 2 ? numbers[1] | value : .max
            default: mask = numbers.count == 2 ? numbers[1] : .max
            }
            guard let mark = try? Mark(value, mask: mask) else { return false }
            result.target = .mark(mark)
            return true
        }

        private func number(_ digits: Substring) -> UInt32? {
            digits.lowercased().hasPrefix("0x") ? UInt32(digits.dropFirst(2), radix: 16) : UInt32(digits)
        }
    }
}
