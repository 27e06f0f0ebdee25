/// Tables that were found somewhere: in the kernel, or in a text.
package struct FoundTables: Sendable {
    /// The chains of each table, built-in ones with their policies.
    package var tables: [TableID: [Chain]] = [:]
    /// The rules in the words in which they were found.
    package var texts: [RulePlace: String] = [:]
    /// Why a rule could not be read; its place has a rule of which nothing is known.
    package var problems: [RulePlace: String] = [:]
    /// What else could not be read, in sentences.
    package var remarks: [String] = []

    /// No tables.
    package init() {}

    /// The rule in the words in which it was found.
    package func text(_ place: RulePlace) -> String {
        texts[place] ?? rule(place)?.iptablesSyntax ?? ""
    }

    /// The rule of that place.
    package func rule(_ place: RulePlace) -> Rule? {
        let rules = tables[place.table]?.first { $0.name == place.chain }?.rules ?? []
        return rules.indices.contains(place.number - 1) ? rules[place.number - 1] : nil
    }
}
