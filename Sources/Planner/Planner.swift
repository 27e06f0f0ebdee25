package import ConfigurationFile
package import Rules

/// What a configuration means in the kernel: a pure function from `Configuration` to `Ruleset`.
package enum Planner {
    /// How a table's rules are laid out. What becomes of a packet is the same in each layout.
    package enum Layout: Sendable, Hashable, CaseIterable {
        /// The plain order up to `plainLimit` rules, a dispatch tree above.
        case automatic
        /// One chain, in the order of the file.
        case plain
        /// A dispatch tree of chains on address prefixes, however few the rules.
        case tree

        /// Up to how many rules a table's rules all bear comments.
        var commentLimit: Int {
            switch self {
            case .automatic: Planner.commentLimit
            case .plain: .max
            case .tree: 1
            }
        }

        /// Up to how many rules a table stays plain.
        var plainLimit: Int {
            switch self {
            case .automatic: Planner.plainLimit
            case .plain: .max
            case .tree: 1
            }
        }
    }

    /// Up to how many rules of one table and family are laid out plainly. With so many a packet costs as much in the plain
    /// order as in a tree, within 50 ns; with twice as many it costs 100 ns more (measured; docs/dispatch-tree.md).
    package static let plainLimit = 32

    /// Up to how many rules of one table and family each bear a comment. It makes a rule of 200 bytes one of 488, which a commit
    /// and a packet's way both feel (docs/performance.md), and more rules than these nobody reads one by one.
    package static let commentLimit = 1000

    /// The rules that the configuration asks for, in both families.
    ///
    /// In mangle a service has, for each of its addresses and protocols, one rule (more only where its ports do not fit
    /// into one multiport match). In nat a masquerade has one for each source, destination and protocol. Each bears
    /// the name of its service or masquerade as comment; of more than `commentLimit` only those do that share their
    /// block of addresses with another one's, and `RuleOwners` tells whose the others are. A table in which nothing is wanted is
    /// absent.
    ///
    /// What can never make a difference is left out: an address that another one of the same service holds, a port that
    /// stands twice, and a translation whose packets are exactly those of an earlier one.
    package static func ruleset(for configuration: Configuration, layout: Layout = .automatic) -> Ruleset {
        var ruleset = Ruleset()
        let services = configuration.allServices
        let masquerades = configuration.allMasquerades
        for family in Family.allCases {
            var marks = markRules(of: services, family)
            if !marks.isEmpty {
                if marks.count > layout.commentLimit { BlockOwners(marks).unname(&marks) }
                // Of marks that do not conflict, each order gives the same.
                ruleset.tables[TableID(family, .mangle)] = DispatchTree.chains(
                    marks, .mangle, isOrdered: { configuration.hasMarkConflicts }, plainLimit: layout.plainLimit)
            }
            let translations = TranslationRules(masquerades, family)
            if !translations.rules.isEmpty {
                var rules = translations.rules
                if rules.count > layout.commentLimit { BlockOwners(rules).unname(&rules) }
                let chains = DispatchTree.chains(
                    rules, .nat, isOrdered: { true }, plainLimit: layout.plainLimit)
                ruleset.tables[TableID(family, .nat)] = chains + translations.chains
            }
        }
        return ruleset
    }
}

/// A rule, and the block of addresses whose packets it is about: destinations in mangle, sources in nat.
struct PlacedRule {
    let prefix: Prefix
    var rule: Rule
}

/// The prefixes of one family in their order, less those that another one of them holds.
func outermost(_ prefixes: some Sequence<Prefix>, _ family: Family) -> [Prefix] {
    let ours = prefixes.filter { $0.family == family }
    guard ours.count > 1 else { return ours }
    var widest: Set<Prefix> = []
    var last: Prefix?
    // In sorted order a prefix stands before all that it holds, and nothing else stands between them.
    for prefix in ours.sorted() where !(last?.contains(prefix) ?? false) {
        widest.insert(prefix)
        last = prefix
    }
    return ours.filter { widest.remove($0) != nil }
}

extension AddressMatch {
    /// The match of the block, or nil for the block of all addresses: the kernel keeps no match that every packet passes.
    static func of(_ prefix: Prefix) -> AddressMatch? {
        prefix.length == 0 ? nil : AddressMatch(prefix)
    }
}

extension InterfacePattern {
    /// The pattern, or nil for the one that every interface passes.
    var unlessAny: InterfacePattern? { isPrefix && name.isEmpty ? nil : self }
}
