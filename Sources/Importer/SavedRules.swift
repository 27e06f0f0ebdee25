// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Collects chains from lines of iptables-save text and of scripts.
struct SavedRules {
    private struct Draft {
        let name: ChainName
        var isUserDefined: Bool
        var rules: [[[UInt8]]] = []
    }

    private struct Place: Hashable {
        var family: Family?
        var table: String
        /// Where the text does not say whose tables they are, each part of it between `*` and COMMIT may be another family's.
        var part = 0
    }

    private let fallback: Family?
    private var headFamily: Family?
    private var current: Place?
    private var part = 0
    private var drafts: [Place: [Draft]] = [:]
    private var numbers: [Place: [ChainName: Int]] = [:]

    init(_ fallback: Family?) { self.fallback = fallback }

    private static let builtIn = Set(Hook.allCases.map(\.chain))

    /// Reads a line; false if it is none that belongs to rules.
    mutating func read(_ line: RuleWords.Line) -> Bool {
        guard let words = line.words else { return false }
        guard let first = words.first, let head = first.first else { return true }
        switch head {
        case UInt8(ascii: "#"):
            readHead(line.text)
            return true
        case UInt8(ascii: "*"):
            if headFamily == nil { part += 1 }
            current = Place(
                family: headFamily, table: String(decoding: first.dropFirst(), as: UTF8.self), part: headFamily == nil ? part : 0)
            return true
        case UInt8(ascii: ":"):
            guard let current, words.count >= 2 else { return false }
            add(chain: ChainName(bytes: first.dropFirst()), isUserDefined: words[1] == [UInt8(ascii: "-")], current)
            return true
        default: break
        }
        if words.count == 1, first.elementsEqual("COMMIT".utf8) {
            current = nil
            return true
        }
        let rule = head == UInt8(ascii: "[") ? words[1...] : words[...]
        guard let current else { return command(words) }
        return change(rule, current)
    }

    /// The comment that iptables-save begins with says which family follows. Other comments say nothing.
    private mutating func readHead(_ text: ArraySlice<UInt8>) {
        let words = text.dropFirst().split(separator: UInt8(ascii: " ")).prefix(3).map { String(decoding: $0, as: UTF8.self) }
        guard words.count == 3, words[0] == "Generated", words[1] == "by" else { return }
        if words[2].hasPrefix("ip6tables") { headFamily = .ipv6 } else if words[2].hasPrefix("iptables") { headFamily = .ipv4 }
    }

    /// Reads a command of a script.
    private mutating func command(_ words: [[UInt8]]) -> Bool {
        var words = words[...]
        func text(_ bytes: [UInt8]) -> String { String(keeping: bytes) }
        if words.first.map(text) == "sudo" { words = words.dropFirst() }
        let program = words.popFirst().map(text)?.split(separator: "/").last ?? ""
        let family: Family
        switch program {
        case "iptables", "iptables-legacy", "iptables-nft": family = .ipv4
        case "ip6tables", "ip6tables-legacy", "ip6tables-nft": family = .ipv6
        default: return false
        }
        var table = "filter"
        var rest: [[UInt8]] = []
        while let word = words.popFirst() {
            switch text(word) {
            case "-t", "--table": table = words.popFirst().map(text) ?? table
            case "-w", "--wait":
                if let next = words.first, UInt32(text(next)) != nil { words = words.dropFirst() }
            default: rest.append(word)
            }
        }
        return change(rest[...], Place(family: family, table: table))
    }

    private mutating func change(_ words: ArraySlice<[UInt8]>, _ place: Place) -> Bool {
        var words = words
        guard let command = words.popFirst().map({ String(decoding: $0, as: UTF8.self) }) else { return false }
        guard let chainName = words.popFirst() else { return changeAll(command, place) }
        let chain = ChainName(bytes: chainName)
        switch command {
        case "-N", "--new-chain": add(chain: chain, isUserDefined: true, place)
        case "-A", "--append":
            let index = number(of: chain, place)
            drafts[place]?[index].rules.append(Array(words))
        case "-I", "--insert":
            let index = number(of: chain, place)
            var position = 1
            if let word = words.first, let number = Int(String(decoding: word, as: UTF8.self)) {
                guard number > 0 else { return false }
                position = number
                words = words.dropFirst()
            }
            let count = drafts[place]?[index].rules.count ?? 0
            drafts[place]?[index].rules.insert(Array(words), at: min(position - 1, count))
        case "-P", "--policy", "-Z", "--zero": break
        case "-F", "--flush": forget([chain], place)
        case "-X", "--delete-chain": break
        case "-D", "--delete": delete(Array(words), from: chain, place)
        default: return false
        }
        return true
    }

    /// Commands that may go without a chain, for all of a table.
    private mutating func changeAll(_ command: String, _ place: Place) -> Bool {
        switch command {
        case "-F", "--flush": forget((drafts[place] ?? []).map(\.name), place)
        case "-X", "--delete-chain", "-Z", "--zero": break
        default: return false
        }
        return true
    }

    private mutating func forget(_ chains: [ChainName], _ place: Place) {
        for chain in chains { if let index = numbers[place]?[chain] { drafts[place]?[index].rules = [] } }
    }

    private mutating func delete(_ words: [[UInt8]], from chain: ChainName, _ place: Place) {
        guard let index = numbers[place]?[chain], let rules = drafts[place]?[index].rules else { return }
        let number = words.count == 1 ? Int(String(decoding: words[0], as: UTF8.self)).map { $0 - 1 } : rules.firstIndex(of: words)
        if let number, rules.indices.contains(number) { drafts[place]?[index].rules.remove(at: number) }
    }

    private mutating func number(of chain: ChainName, _ place: Place) -> Int {
        if let number = numbers[place]?[chain] { return number }
        add(chain: chain, isUserDefined: !SavedRules.builtIn.contains(chain), place)
        return (drafts[place]?.count ?? 1) - 1
    }

    /// A table that comes twice goes on.
    private mutating func add(chain: ChainName, isUserDefined: Bool, _ place: Place) {
        guard numbers[place]?[chain] == nil else { return }
        numbers[place, default: [:]][chain] = drafts[place]?.count ?? 0
        drafts[place, default: []].append(Draft(name: chain, isUserDefined: isUserDefined))
    }

    // MARK: - The end

    /// The chains by table. Where the text does not name the family, the addresses of the rules do, else its neighbours.
    func finish() -> [TableID: [FoundChain]] {
        var merged: [TableID: [Draft]] = [:]
        var places: [TableID: [ChainName: Int]] = [:]
        var last = fallback ?? .ipv4
        for (place, drafts) in drafts.sorted(by: { $0.key.part < $1.key.part }) {
            guard let table = Table(rawValue: place.table) else { continue }
            let family = place.family ?? SavedRules.family(of: drafts.lazy.flatMap(\.rules)) ?? last
            if place.family == nil { last = family }
            let id = TableID(family, table)
            for draft in drafts {
                if let index = places[id]?[draft.name] {
                    merged[id]?[index].rules += draft.rules
                } else {
                    places[id, default: [:]][draft.name] = merged[id]?.count ?? 0
                    merged[id, default: []].append(draft)
                }
            }
        }
        return Dictionary(uniqueKeysWithValues: merged.map { ($0, SavedRules.chains($1, $0)) })
    }

    private static func chains(_ drafts: [Draft], _ id: TableID) -> [FoundChain] {
        let names = Set(drafts.lazy.filter(\.isUserDefined).map(\.name))
        return drafts.map { draft in
            var rules: [FoundRule] = []
            for words in draft.rules {
                let text = printable(words.map { inQuotes(String(keeping: $0)) }.joined(separator: " "))
                for rule in RuleParser.rules(words, id.family, isChain: { names.contains($0) }) {
                    rules.append(FoundRule(table: id, chain: draft.name, number: rules.count + 1, rule: rule, text: text))
                }
            }
            return FoundChain(name: draft.name, rules: rules)
        }
    }

    private static func family(of rules: some Sequence<[[UInt8]]>) -> Family? {
        let addressed: Set<String> = ["-s", "-d", "--source", "--destination", "--src", "--dst", "--to-source"]
        for words in rules {
            for (option, value) in zip(words, words.dropFirst()) where addressed.contains(String(decoding: option, as: UTF8.self)) {
                let text = String(decoding: value.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ",") }, as: UTF8.self)
                if let address = try? Address(parsing: text) { return address.family }
            }
        }
        return nil
    }
}

/// The word as iptables-save writes it: in quotes where it has anything else than what options and values are made of.
private func inQuotes(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x27 && $0 != 0x5c && $0 != 0x7f }
    return isPlain ? word : quoted(word)
}
