// SPDX-License-Identifier: GPL-2.0-or-later
import Netfilter
import Rules

/// The attempts to bring the tables to a ruleset. The lock is held during each.
struct Transaction<Store: RuleStore> {
    private let store: Store
    private let ruleset: Ruleset
    private let replacements: [TableID: Replacement]
    private let hookPosition: TableDifference.HookPosition
    /// What tables had in them before they were committed, as far as it could not be put back; nil for one that did not exist.
    private var wayBack: [TableID: TableSnapshot?] = [:]

    init(_ store: Store, _ ruleset: Ruleset, _ replacements: [Replacement], _ hookPosition: TableDifference.HookPosition) {
        self.store = store
        self.ruleset = ruleset
        self.replacements = Dictionary(replacements.map { ($0.table, $0) }, uniquingKeysWith: { first, _ in first })
        self.hookPosition = hookPosition
    }

    /// Whether nothing is left to be put back.
    var isClean: Bool { wayBack.isEmpty }

    /// One table on its way.
    private struct Step {
        let id: TableID
        let goal: TableDifference.Goal
        let prepared: Store.Prepared
    }

    /// How the tables differ from the ruleset.
    func difference() throws(NetfilterError) -> Outcome {
        var outcome = Outcome()
        for id in TableID.ours {
            let snapshot = try store.snapshot(id)
            outcome.tables[id] = snapshot
            let difference = TableDifference(id, from: snapshot, to: .init(ruleset, id), hookPosition: hookPosition)
            outcome.changes += difference.changes
            outcome.warnings += difference.warnings
        }
        return outcome
    }

    /// Reads, compares, commits and reads again.
    mutating func attempt() -> Result<Outcome, ReconcileError> {
        var outcome = Outcome()
        do throws(NetfilterError) {
            let (steps, last) = try prepare(&outcome)
            for step in steps { try commit(step, &outcome) }
            for id in last { if let step = try step(id, .init(ruleset, id), outcome.tables[id]) { try commit(step, &outcome) } }
            wayBack = [:]
            return .success(outcome)
        } catch {
            return .failure(putBack(error))
        }
    }

    /// Reads all tables and prepares those that differ, before the first is committed.
    ///
    /// - Returns: the tables in the order in which they are committed, and those of which a rest has to wait for all others.
    private func prepare(_ outcome: inout Outcome) throws(NetfilterError) -> (steps: [Step], last: [TableID]) {
        for id in TableID.ours { outcome.tables[id] = try store.snapshot(id) }
        var steps: [Step] = []
        var last: [TableID] = []
        let isRemoval = ruleset.tables.isEmpty
        var changes: [TableID: [Change]] = [:]
        for id in isRemoval ? TableID.ours.reversed() : TableID.ours {
            let snapshot = outcome.tables[id]
            var goal = TableDifference.Goal(ruleset, id)
            if let replacement = replacements[id] {
                guard replacement.isUnchanged(snapshot) else {
                    throw NetfilterError(.other, "\(id): the rules have changed since they were looked at; run the command again")
                }
                goal.removed = replacement.numbers(in: snapshot)
            }
            let difference = TableDifference(id, from: snapshot, to: goal, hookPosition: hookPosition)
            changes[id] = difference.changes
            outcome.warnings += difference.warnings
            // While translations are still there, what holds connection tracking for them stays.
            if isRemoval, id.table == .mangle, let hold = snapshot?[.hold], !hold.rules.isEmpty,
                outcome.tables[TableID(id.family, .nat)]?.chains.contains(where: \.name.isOurs) == true
            {
                goal.chains = [.init(name: .hold, rules: hold.rules)]
                last.append(id)
            }
            if let step = try step(id, goal, snapshot) { steps.append(step) }
        }
        outcome.changes = TableID.ours.flatMap { changes[$0] ?? [] }
        return (steps, last)
    }

    private func step(
        _ id: TableID, _ goal: TableDifference.Goal, _ snapshot: TableSnapshot?
    ) throws(NetfilterError) -> Step? {
        let difference = TableDifference(id, from: snapshot, to: goal, hookPosition: hookPosition)
        guard !difference.isEmpty else { return nil }
        return Step(id: id, goal: goal, prepared: try store.prepare(id, difference.edits))
    }

    /// Commits one table and reads it back: what is in the kernel decides, not what the commit answered.
    private mutating func commit(_ step: Step, _ outcome: inout Outcome) throws(NetfilterError) {
        let id = step.id
        if !wayBack.keys.contains(id) { wayBack.updateValue(outcome.tables[id], forKey: id) }
        var answer: NetfilterError?
        do throws(NetfilterError) { try step.prepared.commit() } catch { answer = error }
        let snapshot: TableSnapshot?
        do throws(NetfilterError) { snapshot = try store.snapshot(id) } catch { throw answer ?? error }
        guard isDone(step, snapshot) else {
            throw answer
                ?? NetfilterError(
                    .changedMeanwhile,
                    "committing \(id): accepted by the kernel, but the table read back differs; another program writes without the lock"
                )
        }
        if let answer {
            outcome.warnings.append("\(answer.message); the rules are in force all the same, some counters may be lost")
        }
        outcome.warnings += step.prepared.leftOut.map { "left out: \($0.reason.message)" }
        outcome.tables[id] = snapshot
    }

    /// Whether the table is as it should be, but for the chains of which something was left out.
    private func isDone(_ step: Step, _ snapshot: TableSnapshot?) -> Bool {
        if let replacement = replacements[step.id], !replacement.isDone(snapshot) { return false }
        var goal = step.goal
        goal.removed = [:]
        let difference = TableDifference(step.id, from: snapshot, to: goal, hookPosition: hookPosition)
        let leftOut = Set(step.prepared.leftOut.map(\.edit.chain))
        return difference.edits.allSatisfy { leftOut.contains($0.chain) }
    }

    // MARK: - The way back

    /// Brings tables back to what was in them, after `cause` kept one of them from its commit.
    private mutating func putBack(_ cause: NetfilterError) -> ReconcileError {
        var failures: [NetfilterError] = []
        var hasChanged = false
        let order = ruleset.tables.isEmpty ? wayBack.keys.sorted() : wayBack.keys.sorted().reversed()
        for id in order {
            do throws(NetfilterError) {
                let before = wayBack[id] ?? nil
                guard try putBack(id, before) else { continue }
                hasChanged = true
            } catch {
                failures.append(error)
            }
        }
        if failures.isEmpty { wayBack = [:] }
        let state: ReconcileError.State = !failures.isEmpty ? .mixed : hasChanged ? .rolledBack : .unchanged
        return ReconcileError(state, causes: [cause] + failures)
    }

    /// Brings one table back.
    ///
    /// - Returns: whether anything had to be done.
    private func putBack(_ id: TableID, _ before: TableSnapshot?) throws(NetfilterError) -> Bool {
        func edits() throws(NetfilterError) -> [TableEdit] {
            let snapshot = try store.snapshot(id)
            let goal = TableDifference.Goal(restoring: before)
            let ours = TableDifference(id, from: snapshot, to: goal, hookPosition: hookPosition).edits
            return ours + (replacements[id]?.editsBack(from: snapshot, before) ?? [])
        }
        let needed = try edits()
        guard !needed.isEmpty else { return false }
        var answer: NetfilterError?
        do throws(NetfilterError) { try store.prepare(id, needed).commit() } catch { answer = error }
        guard try edits().isEmpty else {
            throw NetfilterError(
                answer?.code ?? .refused, "\(id) could not be put back\(answer.map { ": \($0.message)" } ?? "")")
        }
        return true
    }
}

extension Replacement {
    /// What puts the rules back that were taken out of `snapshot`, each where it was in `original`; nothing if they are there.
    ///
    /// Our jumps are put back before.
    fileprivate func editsBack(from snapshot: TableSnapshot?, _ original: TableSnapshot?) -> [TableEdit] {
        guard isDone(snapshot), let original else { return [] }
        return numbers(in: original).sorted { $0.key < $1.key }.flatMap { name, numbers in
            numbers.sorted().compactMap { number in original[name].map { .insert(name, number, $0.rules[number]) } }
        }
    }
}
