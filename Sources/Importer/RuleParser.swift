// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Reads the words of one rule, as iptables takes them after the chain's name, into typed rules.
///
/// Example: `-d 203.0.113.1,203.0.113.2 -p tcp --dport http -j MARK --set-mark 80` gives two rules, one an address, as iptables does.
/// What has no type here is kept as a condition or a target with its words; what iptables would have to look up (a host's name) is
/// a condition of that kind as well.
struct RuleParser {
    let family: Family
    private let isChain: (ChainName) -> Bool
    private var words: [String]
    private var index = 0

    var match = RuleMatch()
    var comment: String?
    var target: Target?
    private var sources: [AddressMatch] = []
    private var destinations: [AddressMatch] = []
    /// The module whose options come, by `-m`.
    private var modules: [String] = []
    var lastModule: String? { modules.last }
    /// Words of modules and targets that have no type, by name.
    private var untyped: [(name: String, words: [String])] = []
    private var targetWords: [String]?
    private var targetName = ""

    /// The rules of the words.
    ///
    /// - Parameter isChain: whether the table has a chain of that name, for `-j`.
    static func rules(_ words: some Sequence<[UInt8]>, _ family: Family, isChain: @escaping (ChainName) -> Bool) -> [Rule] {
        var parser = RuleParser(words, family, isChain)
        return parser.parse()
    }

    private init(_ words: some Sequence<[UInt8]>, _ family: Family, _ isChain: @escaping (ChainName) -> Bool) {
        self.family = family
        self.isChain = isChain
        self.words = words.map { String(keeping: $0) }
    }

    private mutating func parse() -> [Rule] {
        while index < words.count {
            var isInverted = words[index] == "!"
            let start = index
            if isInverted { index += 1 }
            splitOption()
            guard index < words.count else {
                keep(words[start...])
                break
            }
            let option = words[index]
            index += 1
            // The old way: -d ! 10.0.0.0/8.
            if !isInverted, index + 1 < words.count, words[index] == "!", !words[index + 1].hasPrefix("-") {
                isInverted = true
                index += 1
            }
            if !self.option(option, isInverted) {
                // Up to the next option: the whole of what is not understood belongs together.
                index = max(index, start + 1)
                while index < words.count, !words[index].hasPrefix("-"), words[index] != "!" { index += 1 }
                keep(words[start..<index])
            }
        }
        for (name, words) in untyped {
            match.conditions.append(
                .other(ExtensionBytes(name: name, revision: 0, bytes: Array(words.joined(separator: " ").utf8))))
        }
        let target = finishedTarget()
        return (sources.isEmpty ? [nil] : sources.map(Optional.some)).flatMap { source in
            (destinations.isEmpty ? [nil] : destinations.map(Optional.some)).map { destination in
                var match = match
                match.source = source
                match.destination = destination
                return Rule(match, comment: comment, target: target)
            }
        }
    }

    /// Takes an option and its value apart that are one word: `--dport=80`, `-p6`.
    private mutating func splitOption() {
        guard index < words.count else { return }
        let word = words[index]
        if word.hasPrefix("--"), let place = word.firstIndex(of: "=") {
            words.replaceSubrange(index...index, with: [String(word[..<place]), String(word[word.index(after: place)...])])
        } else if word.utf8.count > 2, let letter = word.dropFirst().first, word.hasPrefix("-"), "sdiopmjg".contains(letter) {
            words.replaceSubrange(index...index, with: [String(word.prefix(2)), String(word.dropFirst(2))])
        }
    }

    /// The next word, consumed.
    mutating func argument() -> String? {
        guard index < words.count else { return nil }
        index += 1
        return words[index - 1]
    }

    /// Gives the word back that `argument` took.
    mutating func giveBack() { index -= 1 }

    /// Keeps words that have no type: with the target if that is what they are for, else with the last module.
    private mutating func keep(_ words: ArraySlice<String>) {
        if targetWords != nil {
            targetWords? += words
            return
        }
        let name = modules.last ?? RuleParser.headOptions
        if let index = untyped.firstIndex(where: { $0.name == name }) {
            untyped[index].words += words
        } else {
            untyped.append((name, Array(words)))
        }
    }

    private mutating func option(_ option: String, _ isInverted: Bool) -> Bool {
        switch option {
        case "-s", "--source", "--src": return address(\.sources, isInverted)
        case "-d", "--destination", "--dst": return address(\.destinations, isInverted)
        case "-i", "--in-interface": return interface(\.inInterface, isInverted)
        case "-o", "--out-interface": return interface(\.outInterface, isInverted)
        case "-p", "--protocol", "--proto": return protocolName(isInverted)
        case "-f", "--fragment":
            guard family == .ipv4 else { return false }
            match.isFurtherFragment = !isInverted
            return true
        case "-m", "--match":
            guard !isInverted, let name = argument() else { return false }
            modules.append(name)
            if name == "ah", family == .ipv6 {
                match.conditions.append(.other(.authenticationHeader))
                return true
            }
            if !RuleParser.typedModules.contains(name) { keep([]) }
            return true
        case "-c", "--set-counters": return argument() != nil && argument() != nil
        case "-j", "--jump", "-g", "--goto":
            guard !isInverted, targetWords == nil, let name = argument() else { return false }
            targetName = name
            targetWords = []
            let chain = ChainName(bytes: name.utf8)
            if option.contains("g") { target = .goTo(chain) } else if isChain(chain) { target = .jump(chain) }
            return true
        default:
            if targetWords != nil, !isInverted, targetOption(option, targetName) { return true }
            return condition(option, isInverted)
        }
    }

    /// The name of untyped options that no module was named for.
    static let headOptions = "options"

    static let typedModules: Set<String> = [
        "tcp", "udp", "sctp", "multiport", "comment", "mark", "connmark", "mac", "state", "conntrack", "addrtype", "iprange",
        "icmp",
        "icmp6",
    ]

    private func finishedTarget() -> Target {
        guard let targetWords else { return .none }
        if let target, targetWords.isEmpty { return target }
        if targetWords.isEmpty {
            switch targetName {
            case "ACCEPT": return .accept
            case "DROP": return .drop
            case "RETURN": return .returnToCaller
            case "QUEUE": return .queue
            case "MASQUERADE": return .masquerade(TranslationOptions())
            default: break
            }
        }
        return .other(
            ExtensionBytes(name: targetName, revision: 0, bytes: Array(targetWords.joined(separator: " ").utf8)))
    }

    // MARK: - The head

    private mutating func address(_ part: WritableKeyPath<RuleParser, [AddressMatch]>, _ isInverted: Bool) -> Bool {
        guard let text = argument(), self[keyPath: part].isEmpty else { return false }
        var found: [AddressMatch] = []
        for text in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let prefix = RuleParser.prefix(String(text), family) else { return false }
            if prefix.length > 0 || isInverted { found.append(AddressMatch(prefix, isInverted: isInverted)) }
        }
        // iptables takes an inverted list apart into rules that together match everything, which is never meant.
        guard found.count <= 1 || !isInverted else { return false }
        self[keyPath: part] = found
        return true
    }

    /// An address, or a prefix with a length or a mask without holes. Bits after the prefix are dropped, as iptables does.
    static func prefix(_ text: String, _ family: Family) -> Prefix? {
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

    private mutating func interface(_ part: WritableKeyPath<RuleMatch, InterfaceMatch?>, _ isInverted: Bool) -> Bool {
        guard let text = argument(), match[keyPath: part] == nil, let pattern = try? InterfacePattern(parsing: text) else {
            return false
        }
        if text != "+" || isInverted { match[keyPath: part] = InterfaceMatch(pattern, isInverted: isInverted) }
        return true
    }

    private mutating func protocolName(_ isInverted: Bool) -> Bool {
        guard let text = argument()?.lowercased(), match.transport == nil else { return false }
        let aliases = [
            "icmpv6": "ipv6-icmp", "mh": "ipv6-mh", "gre": "47", "igmp": "2", "ipencap": "4", "ipv6": "41", "vrrp": "112",
        ]
        let name = aliases[text] ?? text
        guard let number = ProtocolMatch.names.first(where: { $0.name == name })?.number ?? UInt8(name) else { return false }
        if number == 0 { return !isInverted }
        match.transport = ProtocolMatch(number, isInverted: isInverted)
        return true
    }
}
