// SPDX-License-Identifier: GPL-2.0-or-later
import NamespaceSupport
import Rules

/// What `iptables-legacy-save -c` or `ip6tables-legacy-save -c` prints, in parts.
struct SavedTables: Hashable {
    /// A rule in its place.
    struct SavedRule: Hashable, CustomStringConvertible {
        let table: String
        let chain: String
        /// The rule without its chain.
        let text: String
        var counters: String

        /// Whether fwmarkd made it: it is in one of its chains, or a jump without a match into one of its entry chains.
        var isOurs: Bool {
            chain.hasPrefix(ChainName.ownPrefix) || Table.entryChains.contains { text == "-j \($0)" }
        }

        var description: String { "[\(counters)] -t \(table) -A \(chain) \(text)" }
    }

    /// The chains as they are declared, policies and their counters included: `mangle FORWARD DROP [0:0]`.
    private(set) var chains: [String] = []
    private(set) var rules: [SavedRule] = []

    init(_ text: String) throws {
        var table = ""
        for line in text.split(separator: "\n") where !line.hasPrefix("#") && line != "COMMIT" {
            switch line.first {
            case "*": table = String(line.dropFirst())
            case ":": chains.append("\(table) \(line.dropFirst())")
            case "[":
                let words = line.split(separator: " ", maxSplits: 3)
                guard words.count == 4, words[1] == "-A" else { throw Failure("no rule: \(line)") }
                rules.append(
                    SavedRule(
                        table: table, chain: String(words[2]), text: String(words[3]),
                        counters: String(words[0].dropFirst().dropLast())))
            default: throw Failure("not of iptables-save: \(line)")
            }
        }
    }

    /// The tables of the calling thread's network namespace.
    init(_ family: Family, in namespace: NetworkNamespace) throws {
        try self.init(try namespace.run("\(family.command)-legacy-save", "-c"))
    }

    /// The rules of fwmarkd.
    var ours: [SavedRule] { rules.filter(\.isOurs) }
    /// Everybody else's rules.
    var foreign: [SavedRule] { rules.filter { !$0.isOurs } }
    /// Everybody else's chains and the built-in ones.
    var foreignChains: [String] { chains.filter { !$0.contains(" \(ChainName.ownPrefix)") } }
}

extension NetworkNamespace {
    /// What `iptables-legacy-save` prints, without comments and counters, the tables by their names.
    func saved(_ family: Family) throws -> String {
        var tables: [String] = []
        for line in try run("\(family.command)-legacy-save").split(separator: "\n") where !line.hasPrefix("#") {
            if line.hasPrefix("*") { tables.append("") }
            guard !tables.isEmpty else { throw Failure("no table before: \(line)") }
            tables[tables.count - 1] += (line.hasPrefix(":") ? line.prefix { $0 != "[" }.dropLast() : line) + "\n"
        }
        return tables.sorted().joined()
    }
}
