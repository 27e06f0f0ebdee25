package import Netfilter
package import Rules

/// A rule that somebody typed and that fwmarkd's rules take the place of.
package struct Original: Sendable, Hashable {
    /// In which table.
    package let table: TableID
    /// In which chain, which is not ours.
    package let chain: ChainName
    /// What it says.
    package let rule: KernelRule.Content

    /// The rule of that chain.
    package init(_ table: TableID, _ chain: ChainName, _ rule: KernelRule.Content) {
        self.table = table
        self.chain = chain
        self.rule = rule
    }
}

extension Reconciler {
    /// Makes the tables equal the ruleset, and takes the originals out in the commit in which our rules of the same table
    /// appear: no packet meets neither or both.
    ///
    /// One attempt under the lock. An original that is no longer there is passed over. When it throws, what had been committed
    /// was put back, or the error says what was not.
    package nonisolated(nonsending) func adopt(
        _ originals: [Original], into ruleset: Ruleset
    ) async throws(ReconcileError) -> Outcome {
        try preflight(ruleset)
        let result: Result<Outcome, ReconcileError>
        var waited = Duration.zero
        do {
            result = try await withLock(&waited) { self.adoptLocked(originals, ruleset) }
        } catch {
            throw ReconcileError(.unchanged, causes: [error])
        }
        var outcome = try result.get()
        outcome.lockWait = waited
        return outcome
    }

    private func adoptLocked(_ originals: [Original], _ ruleset: Ruleset) -> Result<Outcome, ReconcileError> {
        var outcome = Outcome()
        var steps: [(adoption: TableAdoption, prepared: Store.Prepared)] = []
        do {
            for id in TableID.allCases {
                let adoption = TableAdoption(id, originals, try store.snapshot(id), TableDifference.Goal(ruleset, id), hookPosition)
                outcome.tables[id] = adoption.before
                outcome.changes += adoption.changes
                outcome.warnings += adoption.warnings
                if !adoption.edits.isEmpty { steps.append((adoption, try store.prepare(id, adoption.edits))) }
            }
        } catch {
            return .failure(ReconcileError(.unchanged, causes: [error]))
        }
        for (index, step) in steps.enumerated() {
            guard let cause = commit(step.adoption, step.prepared, &outcome) else { continue }
            let undone = steps[...index].reversed().compactMap { putBack($0.adoption) }
            return .failure(ReconcileError(undone.isEmpty ? .rolledBack : .mixed, causes: [cause] + undone))
        }
        return .success(outcome)
    }

    /// Commits, and reads the table back: what stands in the kernel decides.
    private func commit(_ adoption: TableAdoption, _ prepared: Store.Prepared, _ outcome: inout Outcome) -> NetfilterError? {
        var answer: NetfilterError?
        do { try prepared.commit() } catch { answer = error }
        let snapshot: TableSnapshot?
        do { snapshot = try store.snapshot(adoption.id) } catch { return answer ?? error }
        guard adoption.isDone(in: snapshot) else {
            return answer
                ?? NetfilterError(
                    .changedMeanwhile,
                    "committing \(adoption.id): accepted by the kernel, but the table read back differs; another program writes "
                        + "without the lock")
        }
        if let answer { outcome.warnings.append("\(answer.message); the rules are in force all the same") }
        outcome.tables[adoption.id] = snapshot
        return nil
    }

    /// Brings a table back to what it was; returns why it is not.
    private func putBack(_ adoption: TableAdoption) -> NetfilterError? {
        do {
            let edits = adoption.editsBack(from: try store.snapshot(adoption.id))
            if !edits.isEmpty { try store.prepare(adoption.id, edits).commit() }
            return nil
        } catch {
            return error
        }
    }
}

/// What is to be done in one table: the originals out, ours in.
private struct TableAdoption {
    let id: TableID
    let before: TableSnapshot?
    /// The originals that stand there, each chain's in rising order.
    private var removals: [(chain: ChainName, index: Int, rule: KernelRule)] = []
    /// The table without them.
    private var rest: TableSnapshot?
    private let goal: TableDifference.Goal
    private let difference: TableDifference
    private let hookPosition: TableDifference.HookPosition

    init(
        _ id: TableID, _ originals: [Original], _ before: TableSnapshot?, _ goal: TableDifference.Goal,
        _ hookPosition: TableDifference.HookPosition
    ) {
        self.id = id
        self.before = before
        self.goal = goal
        self.hookPosition = hookPosition
        var wanted: [ChainName: [KernelRule.Content: Int]] = [:]
        for original in originals where original.table == id && !original.chain.isOurs {
            wanted[original.chain, default: [:]][original.rule, default: 0] += 1
        }
        var removals = self.removals
        rest = before.map { before in
            let chains = before.chains.map { chain in
                guard var left = wanted[chain.name] else { return chain }
                var rules: [KernelRule] = []
                for (index, rule) in chain.rules.enumerated() {
                    if let count = left[rule.content], count > 0 {
                        left[rule.content] = count - 1
                        removals.append((chain.name, index, rule))
                    } else {
                        rules.append(rule)
                    }
                }
                return ChainSnapshot(name: chain.name, policy: chain.policy, rules: rules)
            }
            return TableSnapshot(id, chains: chains)
        }
        self.removals = removals
        difference = TableDifference(id, from: rest, to: goal, hookPosition: hookPosition)
    }

    /// From the end of each chain, so that the numbers of those before still hold; then what mends the rest.
    var edits: [TableEdit] { removals.reversed().map { .deleteOriginal($0.chain, $0.index, $0.rule.content) } + difference.edits }

    var changes: [Change] {
        difference.changes + removals.map { Change(.remove, id, $0.chain, $0.rule.content, number: $0.index + 1) }
    }

    var warnings: [String] { difference.warnings }

    /// Whether ours are as they should be, and of each original's rule as many are left as were to be left.
    func isDone(in snapshot: TableSnapshot?) -> Bool {
        guard TableDifference(id, from: snapshot, to: goal, hookPosition: hookPosition).isEmpty else { return false }
        return removals.allSatisfy { removal in
            func count(_ snapshot: TableSnapshot?) -> Int {
                snapshot?[removal.chain]?.rules.count { $0.content == removal.rule.content } ?? 0
            }
            return count(snapshot) == count(rest)
        }
    }

    /// What makes `snapshot` the table that was there before.
    func editsBack(from snapshot: TableSnapshot?) -> [TableEdit] {
        let isWithout = isWithoutOriginals(snapshot)
        let ours = TableDifference(
            id, from: snapshot, to: TableDifference.Goal(restoring: isWithout ? rest : before), hookPosition: hookPosition)
        return ours.edits + (isWithout ? removals.map { .insert($0.chain, $0.index, $0.rule) } : [])
    }

    private func isWithoutOriginals(_ snapshot: TableSnapshot?) -> Bool {
        guard let first = removals.first else { return false }
        func count(_ snapshot: TableSnapshot?) -> Int {
            snapshot?[first.chain]?.rules.count { $0.content == first.rule.content } ?? 0
        }
        return count(snapshot) < count(before)
    }
}
