package import ConfigurationFile
import Rules

/// What found rules are as a configuration.
///
/// The configuration does to every packet what the imported rules did, with the rules that are not imported still in their
/// places: where one of those would come in between, the rule is not imported either, and the reason says so.
package struct ImportedRules: Sendable {
    /// Rules that are not imported for one reason.
    package struct Leftover: Sendable, Hashable {
        /// Why, as a phrase.
        package let reason: String
        /// The rules, in the order in which they were found.
        package internal(set) var rules: [FoundRule]
    }

    /// The configuration, whose entries have no true positions.
    package private(set) var configuration = Configuration()
    /// The rules that the configuration stands for.
    package private(set) var originals: [FoundRule] = []
    /// All other rules of mangle and nat but ours, and of other tables those that mark or translate.
    package private(set) var leftovers: [Leftover] = []
    /// How many further rules there are in tables that fwmarkd has nothing to do with, by table.
    package private(set) var untouched: [FoundRules.TableName: Int] = [:]
    /// Lines of the file that nothing is known of.
    package let strayLines: [FoundRules.StrayLine]

    /// What stands for itself, for the check against a configuration that exists.
    private(set) var marks: [MarkCandidate] = []
    private(set) var translations: [TranslationCandidate] = []

    /// Makes a configuration of the rules.
    ///
    /// - Parameter position: where the jumps into our chains stand; nil: where more rules can be imported.
    package init(_ found: FoundRules, hookPosition position: DaemonSettings.HookPosition? = nil) {
        strayLines = found.strayLines
        let positions = position.map { [$0] } ?? [.first, .last]
        let tries = positions.map { Sorting(found, $0) }
        // The first of the best: `first` is the default of the file.
        let best = tries.enumerated().max { ($0.element.count, -$0.offset) < ($1.element.count, -$1.offset) }
        guard let best else { return }
        configuration.daemon.hookPosition = positions[best.offset]
        let sorting = best.element
        marks = sorting.marks
        translations = sorting.translations
        // A chain that is entered twice is met twice.
        var listed: Set<FoundRule> = []
        originals = (marks.map(\.rule) + translations.map(\.rule)).filter { listed.insert($0).inserted }
        for (rule, reason) in sorting.rest where listed.insert(rule).inserted { add(rule, reason.text) }
        addOtherTables(found)
        var names = EntryNames()
        (configuration.ftp, configuration.services) = services(of: marks, &names)
        configuration.masquerades = masquerades(of: translations, &configuration.ftp, &names)
    }

    private mutating func add(_ rule: FoundRule, _ reason: String) {
        if let index = leftovers.firstIndex(where: { $0.reason == reason }) {
            leftovers[index].rules.append(rule)
        } else {
            leftovers.append(Leftover(reason: reason, rules: [rule]))
        }
    }

    private mutating func addOtherTables(_ found: FoundRules) {
        for (name, chains) in found.tables.sorted(by: { ($0.key.family, $0.key.name) < ($1.key.family, $1.key.name) })
        where Table(rawValue: name.name) == nil {
            for rule in chains.flatMap(\.rules) {
                switch rule.target {
                case .module("MARK"), .module("CONNMARK"):
                    add(rule, "marks in the table \(name.name), while fwmarkd marks in mangle")
                default: untouched[name, default: 0] += 1
                }
            }
        }
    }
}

/// Which rules can be imported while our jumps stand at one place.
private struct Sorting {
    private(set) var marks: [MarkCandidate] = []
    private(set) var translations: [TranslationCandidate] = []
    private(set) var rest: [(rule: FoundRule, reason: Reason)] = []
    private let position: DaemonSettings.HookPosition

    /// How many are imported.
    var count: Int { marks.count + translations.count }

    init(_ found: FoundRules, _ position: DaemonSettings.HookPosition) {
        self.position = position
        for family in Family.allCases {
            let mangle = HookWalk(found.chains(family, Table.mangle.rawValue), hook: Table.mangle.hook)
            sortMarks(mangle.items)
            let nat = HookWalk(found.chains(family, Table.nat.rawValue), hook: Table.nat.hook)
            sortTranslations(nat.items)
            for (rule, reason) in mangle.unreached + nat.unreached { rest.append((rule, Reason(stringLiteral: reason))) }
        }
    }

    private mutating func sortMarks(_ items: [HookWalk.Item]) {
        var candidates: [Int: MarkCandidate] = [:]
        var reasons: [Int: Reason] = [:]
        for (index, item) in items.enumerated() {
            switch MarkCandidate.of(item.rule) {
            case .success(let candidate): candidates[index] = candidate
            case .failure(let reason): reasons[index] = reason
            }
        }
        leaveOutOverridden(&candidates, &reasons)
        leaveOutBlocked(items, &candidates, &reasons)
        for index in items.indices {
            if let candidate = candidates[index] { marks.append(candidate) }
            if let reason = reasons[index] { rest.append((items[index].rule, reason)) }
        }
    }

    private mutating func sortTranslations(_ items: [HookWalk.Item]) {
        var candidates: [Int: TranslationCandidate] = [:]
        var reasons: [Int: Reason] = [:]
        var exclusions: [(exclusion: Exclusion, path: [Int]?)] = []
        for (index, item) in items.enumerated() {
            switch TranslationCandidate.of(item.rule) {
            case .success(var candidate):
                for (exclusion, path) in exclusions where reasons[index] == nil {
                    guard path.map({ item.path.starts(with: $0) }) ?? true else { continue }
                    reasons[index] = candidate.exclude(exclusion)
                }
                if reasons[index] == nil { candidates[index] = candidate }
            case .failure(let reason):
                reasons[index] = reason
                if let exclusion = Exclusion(item) {
                    exclusions.append((exclusion, item.effect.contains(.returns) ? item.path : nil))
                }
            }
        }
        leaveOutBlocked(items, &candidates, &reasons)
        for index in items.indices {
            if let candidate = candidates[index] { translations.append(candidate) }
            if let reason = reasons[index] { rest.append((items[index].rule, reason)) }
        }
    }

    /// No two services give one packet two marks; of two rules that do, the later one decides.
    private func leaveOutOverridden(_ candidates: inout [Int: MarkCandidate], _ reasons: inout [Int: Reason]) {
        while true {
            let order = candidates.keys.sorted()
            let conflicts = Configuration.markConflicts(in: order.compactMap { candidates[$0]?.service })
            if conflicts.isEmpty { return }
            for (_, earlier) in conflicts {
                candidates[order[earlier]] = nil
                reasons[order[earlier]] = "a later rule gives some of its packets another mark, which services must not"
            }
        }
    }

    /// Leaves out what would come to stand on the wrong side of a rule that stays where it is.
    private func leaveOutBlocked<Candidate>(
        _ items: [HookWalk.Item], _ candidates: inout [Int: Candidate], _ reasons: inout [Int: Reason]
    ) {
        var staying = items.indices.filter { candidates[$0] == nil && !items[$0].effect.isEmpty }
        while !staying.isEmpty {
            // What is left out stays, and so may block in its turn.
            var next: [Int] = []
            for index in candidates.keys.sorted() {
                guard let blocker = staying.first(where: { blocks(items[$0], $0 < index, items[index]) }) else { continue }
                candidates[index] = nil
                reasons[index] =
                    blocker < index
                    ? "behind a rule that stays and may decide about its packets: \(items[blocker].rule.shown)"
                    : "before a rule that stays and may decide about its packets: \(items[blocker].rule.shown)"
                next.append(index)
            }
            staying = next
        }
    }

    private func blocks(_ staying: HookWalk.Item, _ isBefore: Bool, _ candidate: HookWalk.Item) -> Bool {
        guard staying.rule.mayMeet(candidate.rule) else { return false }
        // RETURN in a written-out chain, whose end would not be the end of ours.
        var effect = staying.effect
        if effect.contains(.returns), !staying.path.isEmpty {
            if isBefore, candidate.path.starts(with: staying.path), Exclusion(staying) == nil { return true }
            effect.remove(.returns)
        }
        if case .mark(let one)? = staying.rule.parsed.rule?.target, case .mark(let other)? = candidate.rule.parsed.rule?.target,
            !one.conflicts(with: other)
        {
            // In whatever order the two are set.
            effect.remove(.marks)
        }
        // A translation asks for no mark.
        if candidate.rule.table == Table.nat.rawValue { effect.remove(.marks) }
        if effect.isEmpty { return false }
        switch position {
        case .first: return isBefore && !(candidate.rule.table == Table.nat.rawValue && Exclusion(staying) != nil)
        case .last: return !isBefore
        }
    }
}

extension FoundRule {
    /// The rule as a short remark shows it.
    fileprivate var shown: String { "-A \(chain) \(text)" }
}
