/// A table made of the statements of a text.
struct TableBuilder {
    private(set) var chains: [Chain]
    private var numbers: [ChainName: Int]

    init(_ table: Table) {
        chains = table.hooks.map { Chain($0.chain, policy: .accept) }
        numbers = Dictionary(zip(chains.map(\.name), chains.indices), uniquingKeysWith: { first, _ in first })
    }

    /// The table exists.
    func touch() {}

    /// Does what the statement says.
    ///
    /// - Returns: what is wrong with it, if no rule comes of it.
    mutating func take(_ statement: RuleTextReader.Statement, _ id: TableID, _ found: inout FoundTables) -> String? {
        var words = statement.words[...]
        if let first = words.first, first.first == UInt8(ascii: "[") { words = words.dropFirst() }
        guard let first = words.first else { return nil }
        if first.first == UInt8(ascii: ":") {
            make(ChainName(bytes: first.dropFirst()), policy: words.dropFirst().first)
            return nil
        }
        let arguments = Array(words.dropFirst())
        switch String(decoding: first, as: UTF8.self) {
        case "-N", "--new-chain":
            if let name = arguments.first { make(ChainName(bytes: name), policy: nil) }
            return nil
        case "-P", "--policy":
            guard arguments.count >= 2 else { return "a policy needs a chain and a target" }
            make(ChainName(bytes: arguments[0]), policy: arguments[1])
            return nil
        case "-A", "--append":
            guard let name = arguments.first else { return "no chain is named" }
            return add(Array(arguments.dropFirst()), to: ChainName(bytes: name), at: nil, statement, id, &found)
        case "-I", "--insert":
            guard let name = arguments.first else { return "no chain is named" }
            guard arguments.count > 1, let number = Int(String(decoding: arguments[1], as: UTF8.self)) else {
                return add(Array(arguments.dropFirst()), to: ChainName(bytes: name), at: 1, statement, id, &found)
            }
            let count = numbers[ChainName(bytes: name)].map { chains[$0].rules.count } ?? 0
            guard number >= 1, number <= count + 1 else { return "there is no place \(number) in a chain of \(count) rules" }
            return add(Array(arguments.dropFirst(2)), to: ChainName(bytes: name), at: number, statement, id, &found)
        case "-F", "--flush", "-X", "--delete-chain", "-L", "-S", "-Z", "-C", "-n", "-v", "-h", "-V": return nil
        default: return "not a rule that is added"
        }
    }

    private mutating func make(_ name: ChainName, policy: [UInt8]?) {
        let policy: Verdict? = policy.flatMap { Verdict(rawValue: String(decoding: $0, as: UTF8.self)) }
        if let number = numbers[name] {
            let isBuiltIn = chains[number].policy != nil
            chains[number] = Chain(name, policy: isBuiltIn ? policy ?? chains[number].policy : nil, chains[number].rules)
        } else {
            numbers[name] = chains.count
            chains.append(Chain(name))
        }
    }

    private mutating func add(
        _ words: [[UInt8]], to name: ChainName, at place: Int?, _ statement: RuleTextReader.Statement, _ id: TableID,
        _ found: inout FoundTables
    ) -> String? {
        if numbers[name] == nil { make(name, policy: nil) }
        guard let number = numbers[name] else { return nil }
        let rules: [Rule]
        var problem: String?
        let known = numbers
        do throws(RuleProblem) {
            var parser = RuleParser(words, id.family) { known[$0] != nil }
            rules = try parser.parse()
        } catch {
            problem = error.reason
            // Of a rule that cannot be read nothing is known.
            let line = ExtensionBytes(name: "?", revision: 0, bytes: Array(statement.text.utf8))
            rules = [Rule(RuleMatch(conditions: [.other(line)]), target: .other(line))]
        }
        for (offset, rule) in rules.enumerated() {
            if let place, place - 1 + offset < chains[number].rules.count {
                chains[number].rules.insert(rule, at: place - 1 + offset)
                found.move(id, name, from: place + offset)
                found.note(RulePlace(id, name, place + offset), statement.text, problem)
            } else {
                chains[number].rules.append(rule)
                found.note(RulePlace(id, name, chains[number].rules.count), statement.text, problem)
            }
        }
        return nil
    }
}

extension FoundTables {
    fileprivate mutating func note(_ place: RulePlace, _ text: String, _ problem: String?) {
        texts[place] = text
        problems[place] = problem
    }

    /// Makes room for a rule that is put in before others.
    fileprivate mutating func move(_ id: TableID, _ chain: ChainName, from number: Int) {
        var number = number
        var (text, problem) = (texts[RulePlace(id, chain, number)], problems[RulePlace(id, chain, number)])
        while let moved = text {
            number += 1
            let place = RulePlace(id, chain, number)
            let (nextText, nextProblem) = (texts[place], problems[place])
            texts[place] = moved
            problems[place] = problem
            (text, problem) = (nextText, nextProblem)
        }
    }
}
