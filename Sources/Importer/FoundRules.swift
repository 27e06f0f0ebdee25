// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A rule that is there, in a kernel or in a text.
package struct FoundRule: Sendable, Hashable {
    /// Where rules were found.
    package enum Origin: String, Sendable, Hashable {
        /// In a text, which may be of any iptables.
        case text = ""
        /// In the kernel's x_tables.
        case legacy = "-legacy"
        /// In nf_tables, made by iptables.
        case nft = "-nft"
    }

    /// In which table.
    package let table: TableID
    /// In which chain.
    package let chain: ChainName
    /// Its number in the chain, counted from 1.
    package let number: Int
    /// What it says, as far as it is known.
    package let rule: Rule
    /// What it says, in iptables' words, safe to print.
    package let text: String
    /// Where it was found.
    package var origin = Origin.text

    /// The rule as a command: `iptables-legacy -t mangle -A PREROUTING …`.
    package var command: String {
        "\(table.family.command)\(origin.rawValue) -t \(table.table) -A \(chain)\(text.isEmpty ? "" : " " + text)"
    }
}

/// A chain with its rules.
package struct FoundChain: Sendable {
    /// Its name.
    package let name: ChainName
    /// Its rules.
    package internal(set) var rules: [FoundRule]
}

/// The rules of some tables.
package struct FoundRules: Sendable {
    /// The chains of each table.
    package private(set) var tables: [TableID: [FoundChain]] = [:]
    /// Lines of a text that are no rules.
    package private(set) var strayLines: [StrayLine] = []
    /// Whether the rules are from a text, where chains of ours may be all there is.
    package let isFromText: Bool

    /// A line of a text that is no rule.
    package struct StrayLine: Sendable, Hashable {
        /// Its number, counted from 1.
        package let number: Int
        /// The line, safe to print.
        package let text: String
    }

    /// The rules of tables that were read from the kernel.
    ///
    /// - Parameters:
    ///   - texts: for each table the rules' words, chain by chain, as a person reads them; without them the rules' own.
    ///   - origin: which of the kernel's tables they are.
    package init(
        tables: [TableID: [Chain]], texts: [TableID: [String]] = [:], from origin: FoundRule.Origin = .legacy
    ) {
        isFromText = false
        for (id, chains) in tables {
            var words = texts[id].map { $0[...] }
            self.tables[id] = chains.map { chain in
                FoundChain(
                    name: chain.name,
                    rules: chain.rules.enumerated().map { index, rule in
                        FoundRule(
                            table: id, chain: chain.name, number: index + 1, rule: rule,
                            text: printable(words?.popFirst() ?? rule.iptablesSyntax), origin: origin)
                    })
            }
        }
    }

    /// The rules of the output of iptables-save, ip6tables-save, or of a script of iptables commands.
    ///
    /// - Parameter family: the family of the tables, where the text does not say.
    package init(parsing bytes: [UInt8], family: Family? = nil) {
        isFromText = true
        var reader = SavedRules(family)
        for line in RuleWords(bytes) where !reader.read(line) {
            strayLines.append(StrayLine(number: line.number, text: printable(line.text)))
        }
        tables = reader.finish()
    }

    /// The same for a string.
    package init(parsing text: String, family: Family? = nil) { self.init(parsing: Array(text.utf8), family: family) }
}
