// SPDX-License-Identifier: GPL-2.0-or-later
package import ConfigurationFile
package import Rules

/// What of the rules that are there a configuration can take the place of, and what stays.
///
/// Applied in place of the rules in `originals`, `configuration` gives every packet the mark and the source that it had before.
package struct ImportedRules: Sendable {
    /// Rules that stay, for one reason.
    package struct Leftover: Sendable, Hashable {
        /// Why, as a sentence without a full stop.
        package let reason: String
        /// The rules.
        package internal(set) var rules: [FoundRule]
    }

    /// The configuration.
    package private(set) var configuration = Configuration()
    /// The rules that it takes the place of, each once.
    package private(set) var originals: [FoundRule] = []
    /// The marking and translating rules that stay.
    package private(set) var leftovers: [Leftover] = []
    /// The place in `leftovers` of each reason: some have a chain's name in them, and a dump has thousands of chains.
    private var places: [String: Int] = [:]
    /// How many rules other tables have.
    package private(set) var untouched: [TableID: Int] = [:]
    /// Lines of a text that are no rules.
    package private(set) var strayLines: [FoundRules.StrayLine] = []

    /// Sorts the rules.
    ///
    /// - Parameter position: where our jump will be in its hook; nil: where more rules can be taken.
    package init(_ found: FoundRules, hookPosition position: HookPosition? = nil) {
        self.init(found, position, staying: [])
    }

    /// - Parameter staying: rules that save marks and are to stay.
    private init(_ found: FoundRules, _ position: HookPosition?, staying: Set<FoundRule>) {
        strayLines = found.strayLines
        var best = Sorted(found, position ?? .first, staying)
        if position == nil, !best.isWhole {
            let other = Sorted(found, .last, staying)
            if other.count > best.count { best = other }
        }
        configuration.daemon.hookPosition = best.position

        var names = EntryNames()
        (configuration.ftp, configuration.services) = MergedServices.entries(best.marks, &names)
        var missing: Set<FoundRule> = []
        configuration.masquerades = MergedMasquerades.masquerades(
            best.translations, &configuration.ftp, configuration.allServices, &names
        ) { missing.insert($0) }

        let helpers = HelperRules(found)
        let incomplete = configuration.ftp.filter { $0.active?.to == .virtualAddress && !helpers.areComplete(for: $0) }
        let others = configuration.services.filter(\.savesMark)
        if !incomplete.isEmpty || !others.isEmpty {
            let marks = Set(incomplete.map(\.mark) + others.map(\.mark))
            let alone = best.marks.filter { marks.contains($0.mark) }.compactMap(\.savedBy)
            self = ImportedRules(found, position, staying: staying.union(alone))
            return
        }

        var listed: Set<FoundRule> = []
        let helping = configuration.ftp.flatMap { helpers.rules(of: $0) }
        originals = (best.originals + helping).filter { !missing.contains($0) && listed.insert($0).inserted }
        for rule in best.originals where missing.contains(rule) && listed.insert(rule).inserted {
            add(rule, "no imported service has the mark that it asks for")
        }
        for (rule, reason) in best.rest where listed.insert(rule).inserted { add(rule, reason) }
        addOtherTables(found)
    }

    private mutating func add(_ rule: FoundRule, _ reason: String) {
        let place = places[reason] ?? leftovers.count
        if place == leftovers.count {
            places[reason] = place
            leftovers.append(Leftover(reason: reason, rules: []))
        }
        leftovers[place].rules.append(rule)
    }

    private mutating func addOtherTables(_ found: FoundRules) {
        for (id, chains) in found.tables.sorted(by: { $0.key < $1.key }) where id.table != .nat && id.table != .mangle {
            for rule in chains.flatMap(\.rules) {
                switch rule.rule.target {
                case .helper where originals.contains(rule): break
                case .mark, .connectionMark: add(rule, "it marks in the table \(id.table), while fwmarkd marks in mangle")
                default: untouched[id, default: 0] += 1
                }
            }
        }
    }
}

/// One way to sort the rules, for one position of our jumps.
private struct Sorted {
    let position: HookPosition
    private(set) var marks: [MarkCandidate] = []
    private(set) var translations: [TranslationCandidate] = []
    /// The rules that the candidates, and what overrides them, take the place of.
    private(set) var originals: [FoundRule] = []
    private(set) var rest: [(rule: FoundRule, reason: String)] = []

    var count: Int { marks.count + translations.count }
    /// Whether no rule stays that could be taken.
    var isWhole: Bool {
        !rest.contains { left in
            switch left.rule.rule.target {
            case .mark, .sourceNAT, .masquerade, .accept: true
            default: false
            }
        }
    }

    private let saving: Set<FoundRule>

    init(_ found: FoundRules, _ position: HookPosition, _ staying: Set<FoundRule>) {
        self.position = position
        saving = staying
        for family in Family.allCases {
            addMarks(found, TableID(family, .mangle))
            addTranslations(found, TableID(family, .nat))
        }
        // A rule that stays for one hook stays for all.
        let staying = Set(rest.map(\.rule))
        marks.removeAll { staying.contains($0.rule) }
        translations.removeAll { staying.contains($0.rule) }
        originals.removeAll { staying.contains($0) }
    }

    private mutating func addMarks(_ found: FoundRules, _ id: TableID) {
        let chains = found.tables[id] ?? []
        var unreached: [FoundRule: (count: Int, reason: String)] = [:]
        var walked = 0
        var inPrerouting: [MarkCandidate] = []
        for hook in id.table.hooks where chains.contains(where: { $0.name == hook.chain }) {
            let walk = HookWalk(chains, id.family, from: hook.chain, skipsOurs: !found.isFromText)
            walked += 1
            for (rule, reason) in walk.unreached { unreached[rule] = ((unreached[rule]?.count ?? 0) + 1, reason) }
            let sorting = MarkSorting(walk.items, hook, position, after: hook == .input ? inPrerouting : [], staying: saving)
                .sorting
            marks += take(sorting)
            if hook == .prerouting { inPrerouting = marks.filter { $0.rule.table == id } }
        }
        for (rule, entry) in unreached where entry.count == walked { rest.append((rule, entry.reason)) }
        addUnwalked(chains, id, isWalked: walked > 0)
    }

    private mutating func addTranslations(_ found: FoundRules, _ id: TableID) {
        let chains = found.tables[id] ?? []
        guard chains.contains(where: { $0.name == Hook.postrouting.chain }) else {
            return addUnwalked(chains, id, isWalked: false)
        }
        let walk = HookWalk(chains, id.family, from: Hook.postrouting.chain, skipsOurs: !found.isFromText)
        translations += take(TranslationSorting(walk.items, position).sorting)
        rest += walk.unreached.map { ($0.rule, $0.reason) }
        for chain in chains where Hook(chain: chain.name) != nil && chain.name != Hook.postrouting.chain {
            rest += chain.rules.map { ($0, "it is in \(chain.name), while fwmarkd translates in POSTROUTING") }
        }
    }

    /// Takes over what was sorted.
    ///
    /// - Returns: the candidates in their order.
    private mutating func take<Kind>(_ sorting: Sorting<Kind>) -> [Kind] {
        for (index, item) in sorting.items.enumerated() where item.rule.rule.target.chain == nil {
            if let reason = sorting.reasons[index] { rest.append((item.rule, reason)) }
            if sorting.candidates[index] != nil || sorting.overridden.contains(index) { originals.append(item.rule) }
        }
        return sorting.candidates.sorted { $0.key < $1.key }.map(\.value)
    }

    private mutating func addUnwalked(_ chains: [FoundChain], _ id: TableID, isWalked: Bool) {
        guard !isWalked else { return }
        rest += chains.filter { $0.name != .hold }.flatMap(\.rules).map {
            ($0, "no hook of \(id.table) is in the text, so no packet reaches it")
        }
    }
}
