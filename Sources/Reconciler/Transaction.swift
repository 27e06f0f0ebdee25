// SPDX-License-Identifier: GPL-2.0-or-later
import Netfilter
import Rules
import SystemCalls

/// The attempts to bring the tables to a ruleset. The lock is held during each.
///
/// Where there are many rules, two tables are worked on at once: mangle beside the others, and while one is committed the one before
/// is read back.
struct Transaction<Store: RuleStore>: Sendable {
    private let store: Store
    private let ruleset: Ruleset
    private let replacements: [TableID: Replacement]
    private let hookPosition: HookPosition
    /// Whether the rules are so many that it is worth a thread.
    private let isLarge: Bool
    /// What tables had in them before they were committed, as far as it could not be put back; nil for one that did not exist.
    private var wayBack: [TableID: TableSnapshot?] = [:]
    /// What else there is to do while the kernel commits, and that once it has begun.
    private var (meanwhile, begun): ((@Sendable () -> Void)?, Beside?)

    init(
        _ store: Store, _ ruleset: Ruleset, _ replacements: [Replacement], _ hookPosition: HookPosition,
        _ meanwhile: (@Sendable () -> Void)?
    ) {
        self.meanwhile = meanwhile
        self.store = store
        self.ruleset = ruleset
        self.replacements = Dictionary(replacements.map { ($0.table, $0) }, uniquingKeysWith: { first, _ in first })
        self.hookPosition = hookPosition
        isLarge = ruleset.ruleCount > 1000
    }

    /// Whether nothing is left to be put back.
    var isClean: Bool { wayBack.isEmpty }

    /// One table on its way.
    private struct Step: Sendable {
        let id: TableID
        let goal: TableDifference.Goal
        let prepared: Store.Prepared
    }

    /// How the tables differ from the ruleset.
    func difference() throws(NetfilterError) -> Outcome {
        let found = try forEach(TableID.ours) { id throws(NetfilterError) in
            let snapshot = try store.snapshot(id)
            return (snapshot, TableDifference(id, from: snapshot, to: .init(ruleset, id), hookPosition: hookPosition))
        }
        var outcome = Outcome()
        for (id, (snapshot, difference)) in found {
            outcome.tables[id] = snapshot
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
            if !steps.isEmpty, let body = meanwhile {
                begun = Beside(body)
                meanwhile = nil
            }
            try commit(steps, &outcome)
            for id in last {
                let goal = TableDifference.Goal(ruleset, id)
                let difference = TableDifference(id, from: outcome.tables[id], to: goal, hookPosition: hookPosition)
                if let step = try step(difference, goal) { try commit([step], &outcome) }
            }
            wayBack = [:]
            return .success(outcome)
        } catch {
            return .failure(putBack(error))
        }
    }

    /// Does the work for each table, and returns what comes of it in the tables' order.
    private func forEach<Value: Sendable>(
        _ ids: [TableID], _ work: @Sendable (TableID) throws(NetfilterError) -> Value
    ) throws(NetfilterError) -> [(id: TableID, value: Value)] {
        guard isLarge else { return try ids.map { id throws(NetfilterError) in (id, try work(id)) } }
        @Sendable func all(_ ids: [TableID]) -> [(id: TableID, result: Result<Value, NetfilterError>)] {
            ids.map { id in (id, Result { () throws(NetfilterError) in try work(id) }) }
        }
        let (others, mangle) = store.sideBySide {
            all(ids.filter { $0.table != .mangle })
        } _: {
            all(ids.filter { $0.table == .mangle })
        }
        var values: [(id: TableID, value: Value)] = []
        for id in ids { for done in others + mangle where done.id == id { values.append((id, try done.result.get())) } }
        return values
    }

    // MARK: - Preparing

    /// Reads all tables and prepares those that differ, before the first is committed.
    ///
    /// - Returns: the tables in the order in which they are committed, and those of which a rest has to wait for all others.
    private func prepare(_ outcome: inout Outcome) throws(NetfilterError) -> (steps: [Step], last: [TableID]) {
        if ruleset.tables.isEmpty {
            // What has to stay in one table for now depends on another one.
            for id in TableID.ours { outcome.tables[id] = try store.snapshot(id) }
        }
        let tables = outcome.tables
        let found = try forEach(ruleset.tables.isEmpty ? TableID.ours.reversed() : TableID.ours) { id throws(NetfilterError) in
            let table = ruleset.tables.isEmpty ? tables[id] : try store.snapshot(id)
            var goal = try goal(id, table)
            let difference = TableDifference(id, from: table, to: goal, hookPosition: hookPosition)
            let waits = holdsBack(id, &goal, tables)
            let now = waits ? TableDifference(id, from: table, to: goal, hookPosition: hookPosition) : difference
            return (table: table, difference: difference, waits: waits, step: try step(now, goal))
        }
        for (id, found) in found { outcome.tables[id] = found.table }
        outcome.warnings += found.flatMap(\.value.difference.warnings)
        for id in TableID.ours { for table in found where table.id == id { outcome.changes += table.value.difference.changes } }
        return (found.compactMap(\.value.step), found.filter(\.value.waits).map(\.id))
    }

    /// What the table is to be.
    private func goal(_ id: TableID, _ snapshot: TableSnapshot?) throws(NetfilterError) -> TableDifference.Goal {
        var goal = TableDifference.Goal(ruleset, id)
        if let replacement = replacements[id] {
            guard replacement.isUnchanged(snapshot) else {
                throw NetfilterError(.other, "\(id): the rules have changed since they were looked at; run the command again")
            }
            goal.removed = replacement.numbers(in: snapshot)
        }
        return goal
    }

    /// Where all is removed and translations are still there, what holds connection tracking for them stays until they are gone.
    ///
    /// - Returns: whether it has to stay.
    private func holdsBack(
        _ id: TableID, _ goal: inout TableDifference.Goal, _ tables: [TableID: TableSnapshot]
    ) -> Bool {
        guard ruleset.tables.isEmpty, id.table == .mangle, let hold = tables[id]?[.hold], !hold.rules.isEmpty,
            tables[TableID(id.family, .nat)]?.chains.contains(where: \.name.isOurs) == true
        else { return false }
        goal.chains = [.init(name: .hold, rules: hold.rules)]
        return true
    }

    private func step(_ difference: TableDifference, _ goal: TableDifference.Goal) throws(NetfilterError) -> Step? {
        guard !difference.isEmpty else { return nil }
        return Step(id: difference.id, goal: goal, prepared: try store.prepare(difference.id, difference.edits))
    }

    // MARK: - Committing

    /// Commits one table after the other and reads each back, many rules while the next is committed: what is in the kernel decides,
    /// not what the commit answered.
    private mutating func commit(_ steps: [Step], _ outcome: inout Outcome) throws(NetfilterError) {
        var last: Committed?
        for step in steps {
            let id = step.id
            if !wayBack.keys.contains(id) { wayBack.updateValue(outcome.tables[id], forKey: id) }
            guard let before = last, isLarge else {
                if let last { try accept(last, found(last), &outcome) }
                last = Committed(step)
                continue
            }
            let reader = self
            let (table, committed) = store.sideBySide {
                reader.found(before)
            } _: {
                Committed(step)
            }
            last = committed
            try accept(before, table, &outcome)
        }
        if let last { try accept(last, found(last), &outcome) }
    }

    /// A table that was committed, and what the kernel answered if it was not content.
    private struct Committed: Sendable {
        let step: Step
        let answer: NetfilterError?

        init(_ step: Step) {
            self.step = step
            var answer: NetfilterError?
            do throws(NetfilterError) { try step.prepared.commit() } catch { answer = error }
            self.answer = answer
        }
    }

    /// What is in the table now, and whether it is as it should be.
    private func found(_ committed: Committed) -> Result<(table: TableSnapshot?, isDone: Bool), NetfilterError> {
        Result { () throws(NetfilterError) in
            let snapshot = try store.snapshot(committed.step.id)
            return (snapshot, isDone(committed.step, snapshot))
        }
    }

    /// Takes in what was found in a table after its commit.
    private func accept(
        _ committed: Committed, _ found: Result<(table: TableSnapshot?, isDone: Bool), NetfilterError>, _ outcome: inout Outcome
    ) throws(NetfilterError) {
        let id = committed.step.id
        let (table, isDone): (TableSnapshot?, Bool)
        do throws(NetfilterError) { (table, isDone) = try found.get() } catch { throw committed.answer ?? error }
        guard isDone else {
            throw committed.answer
                ?? NetfilterError(
                    .changedMeanwhile,
                    "committing \(id): accepted by the kernel, but the table read back differs; another program writes without the lock"
                )
        }
        if let answer = committed.answer {
            outcome.warnings.append("\(answer.message); the rules are in force all the same, some counters may be lost")
        }
        outcome.warnings += committed.step.prepared.leftOut.map { "left out: \($0.reason.message)" }
        outcome.tables[id] = table
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
