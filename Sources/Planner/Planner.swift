// SPDX-License-Identifier: GPL-2.0-or-later
package import ConfigurationFile
import Rules
import SystemCalls

/// What a configuration means in the kernel: a pure function from `Configuration` to `Plan`.
package enum Planner {
    /// How a table's rules are laid out. What becomes of a packet is the same in each layout.
    package enum Layout: Sendable, Hashable, CaseIterable {
        /// The plain order up to `plainLimit` rules, a dispatch tree above.
        case automatic
        /// One chain, in the order of the file.
        case plain
        /// A dispatch tree of chains on address prefixes, however few the rules.
        case tree

        /// Up to how many rules a hook's rules stay plain.
        var plainLimit: Int {
            switch self {
            case .automatic: Planner.plainLimit
            case .plain: .max
            case .tree: 1
            }
        }

        /// Up to how many rules a table's rules all have comments.
        var commentLimit: Int {
            switch self {
            case .automatic: Planner.commentLimit
            case .plain: .max
            case .tree: 1
            }
        }
    }

    /// Up to how many rules of one hook and family are laid out plainly. With so many a packet costs as much in the plain
    /// order as in a tree, within 50 ns; with twice as many it costs 100 ns more (measured; docs/dispatch-tree.md).
    package static let plainLimit = 32

    /// Up to how many rules of one table each have a comment. It makes a rule of 200 bytes one of 488, which a commit
    /// and a packet's way both feel (docs/performance.md), and people do not read more rules than these one by one.
    package static let commentLimit = 1000

    /// The chains and rules that the configuration asks for, in both families, and which entry of the file each is for.
    ///
    /// A table in which nothing is wanted is absent. What can never make a difference is left out: an address that another one
    /// of the same service contains, a port that is given twice. The configuration must be one that the reader accepts: no two of
    /// its services may give one packet two different marks, since their rules are in any order in a tree.
    ///
    /// - Parameter onOneThread: keeps it from planning translations beside the rest where there is much of both.
    package static func plan(
        for configuration: Configuration, layout: Layout = .automatic, onOneThread: Bool = false
    ) -> Plan {
        let count = configuration.ftp.count + configuration.services.count
        let isLarge = count > Planner.threadLimit && !onOneThread
        let (others, translations) = both(isLarge) {
            (
                owners: Owners(configuration), marks: Family.allCases.map { Planner.marks(of: configuration, $0, layout) },
                helpers: Family.allCases.map { Planner.helpers(of: configuration, $0, layout) }
            )
        } _: {
            Family.allCases.map { Planner.translations(of: configuration, $0, layout, firstOwner: count) }
        }
        var (ruleset, owners) = (Ruleset(), others.owners)
        for ((var marks, helpers), translations) in zip(zip(others.marks, others.helpers), translations) {
            if !translations.isEmpty { marks.addHold() }
            for var draft in [helpers, translations, marks] where !draft.isEmpty {
                draft.comment(owners)
                ruleset.tables[draft.id] = draft.chains
                owners.add(draft.id, draft.chains, draft.owners)
            }
        }
        return Plan(ruleset: ruleset, owners: owners)
    }

    private static func marks(of configuration: Configuration, _ family: Family, _ layout: Layout) -> TableDraft {
        var marks = TableDraft(TableID(family, .mangle), layout)
        marks.addMarks(of: configuration.ftp)
        marks.addMarks(of: configuration.services, firstOwner: configuration.ftp.count)
        marks.finish()
        return marks
    }

    private static func helpers(of configuration: Configuration, _ family: Family, _ layout: Layout) -> TableDraft {
        var helpers = TableDraft(TableID(family, .raw), layout)
        helpers.addHelpers(of: configuration.ftp)
        helpers.finish()
        return helpers
    }

    private static func translations(
        of configuration: Configuration, _ family: Family, _ layout: Layout, firstOwner: Int
    ) -> TableDraft {
        var translations = TableDraft(TableID(family, .nat), layout)
        let next = translations.addTranslations(of: configuration.ftp, firstOwner: firstOwner)
        translations.addTranslations(configuration.masquerades, firstOwner: next, configuration)
        translations.finish()
        return translations
    }

    /// From how many services on it is worth a thread to plan translations beside the rest.
    private static let threadLimit = 1000

    private static func both<First: Sendable, Second: Sendable>(
        _ isLarge: Bool, _ first: () -> First, _ second: @Sendable () -> Second
    ) -> (First, Second) {
        isLarge ? sideBySide(first, second) : (first(), second())
    }
}
