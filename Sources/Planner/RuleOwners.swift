package import ConfigurationFile
package import Rules

/// Whose rules are whose: the service or the masquerade by which a rule stands in a table, also where no comment tells it.
package struct RuleOwners: Sendable {
    private let owners: [TableID: BlockOwners]

    /// The owners of the rules that the planner makes of the configuration.
    package init(of configuration: Configuration) {
        var owners: [TableID: BlockOwners] = [:]
        for family in Family.allCases {
            owners[TableID(family, .mangle)] = BlockOwners(markRules(of: configuration.allServices, family))
            owners[TableID(family, .nat)] = BlockOwners(TranslationRules(configuration.allMasquerades, family).rules)
        }
        self.owners = owners
    }

    /// The name of the service or masquerade whose rule this is in the table; nil for one that only leads on.
    package func owner(of rule: Rule, in id: TableID) -> String? {
        guard rule.target.chain == nil else { return nil }
        if let comment = rule.comment { return comment }
        let match = id.table == .mangle ? rule.destination : rule.source
        let all = Prefix(containing: Address(family: id.family, bits: 0), length: 0)
        return owners[id]?.names[match?.prefix ?? all] ?? nil
    }
}

/// The service or masquerade that alone has rules for a block of addresses.
struct BlockOwners {
    /// The name by block; nil where several have rules.
    private(set) var names: [Prefix: String?] = [:]

    init(_ rules: [PlacedRule]) {
        names.reserveCapacity(rules.count)
        for placed in rules {
            guard let name = placed.rule.comment else { continue }
            if let known = names[placed.prefix] {
                if known != name { names[placed.prefix] = .some(nil) }
            } else {
                names[placed.prefix] = name
            }
        }
    }

    /// Takes the comment from each rule whose block tells whose it is.
    func unname(_ rules: inout [PlacedRule]) {
        for index in rules.indices where (names[rules[index].prefix] ?? nil) != nil { rules[index].rule.comment = nil }
    }
}
