public import Netfilter
public import Rules

/// Brings the kernel's tables to a ruleset, and proves it.
///
/// One attempt holds the xtables lock from the reading to the reading after the commits. The tables' order is fixed: nat before
/// mangle, so that a packet is never marked whose way back is not translated; the other way round when all is removed.
public struct Reconciler<Store: RuleStore>: Sendable {
    /// How attempts follow one another.
    public struct Retries: Sendable, Hashable {
        /// How many attempts there are at most.
        public var limit = 6
        /// The pause after the first; each further one is twice as long.
        public var firstPause = Duration.milliseconds(20)

        /// The defaults: six attempts within about a second.
        public init() {}

        /// The pause after the attempt of that number, counted from 1, with up to half of it added at random so that
        /// two programs in step get out of it.
        func pause(after attempt: Int) -> Duration {
            let plain = firstPause * (1 << min(attempt - 1, 16))
            return plain + plain * Double.random(in: 0..<0.5)
        }
    }

    private let store: Store
    private let clock: any Clock<Duration>
    private let retries: Retries
    /// How long to wait for the xtables lock.
    public var lockTimeout: Duration
    /// Where a missing jump is put.
    public var hookPosition: TableDifference.HookPosition

    /// A reconciler of the store's tables.
    public init(
        _ store: Store,
        lockTimeout: Duration = .seconds(10),
        hookPosition: TableDifference.HookPosition = .first,
        retries: Retries = Retries(),
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.store = store
        self.lockTimeout = lockTimeout
        self.hookPosition = hookPosition
        self.retries = retries
        self.clock = clock
    }

    /// How the tables differ from the ruleset. Takes no lock and changes nothing.
    public func difference(to ruleset: Ruleset) throws(NetfilterError) -> Outcome {
        var outcome = Outcome()
        for difference in try differences(to: ruleset, &outcome.tables) {
            outcome.changes += difference.changes
            outcome.warnings += difference.warnings
        }
        return outcome
    }

    /// Makes the tables equal the ruleset, with as many attempts as `retries` allows.
    ///
    /// Nothing is committed when nothing differs. When it throws, the error says what the kernel is left with.
    public func reconcile(to ruleset: Ruleset) async throws(ReconcileError) -> Outcome {
        try preflight(ruleset)
        var attempt = 1
        while true {
            let result: Result<Outcome, ReconcileError>
            do {
                result = try store.withLock(timeout: lockTimeout) { self.attempt(ruleset) }
            } catch {
                throw ReconcileError(.unchanged, causes: [error], attempts: attempt)
            }
            switch result {
            case .success(var outcome):
                outcome.attempts = attempt
                return outcome
            case .failure(let error):
                let last = ReconcileError(error.state, causes: error.causes, attempts: attempt)
                guard error.isWorthRetrying, attempt < retries.limit else { throw last }
                do { try await clock.sleep(for: retries.pause(after: attempt)) } catch { throw last }
                attempt += 1
            }
        }
    }

    // MARK: - One attempt

    /// Names what the kernel lacks before anything is tried: a commit is refused as a whole, without saying for which rule.
    private func preflight(_ ruleset: Ruleset) throws(ReconcileError) {
        for family in Family.allCases {
            let rules = ruleset.tables.filter { $0.key.family == family }.values.joined().lazy.flatMap(\.rules)
            let missing: [String]
            do {
                missing = try store.missingExtensions(for: rules, family)
            } catch {
                throw ReconcileError(.unchanged, causes: [error])
            }
            guard missing.isEmpty else {
                throw ReconcileError(.unchanged, causes: missing.map { NetfilterError(.notSupported, $0) })
            }
        }
    }

    private func differences(
        to ruleset: Ruleset, _ tables: inout [TableID: TableSnapshot]
    ) throws(NetfilterError) -> [TableDifference] {
        var differences: [TableDifference] = []
        for id in TableID.allCases {
            let goal = TableDifference.Goal(ruleset, id)
            let snapshot = try store.snapshot(id)
            tables[id] = snapshot
            differences.append(TableDifference(id, from: snapshot, to: goal, hookPosition: hookPosition))
        }
        return differences
    }

    /// Reads, compares, commits and reads again. The lock is held.
    private func attempt(_ ruleset: Ruleset) -> Result<Outcome, ReconcileError> {
        var outcome = Outcome()
        var prepared: [(id: TableID, table: Store.Prepared)] = []
        do {
            var differences = try differences(to: ruleset, &outcome.tables)
            if ruleset.tables.isEmpty { differences.reverse() }
            for difference in differences {
                outcome.changes += difference.changes
                outcome.warnings += difference.warnings
                if !difference.isEmpty { prepared.append((difference.id, try store.prepare(difference.id, difference.edits))) }
            }
        } catch {
            return .failure(ReconcileError(.unchanged, causes: [error]))
        }
        let before = outcome.tables
        for (index, (id, table)) in prepared.enumerated() {
            guard let cause = commit(id, table, ruleset, &outcome) else { continue }
            return .failure(putBack(prepared[...index].map(\.id).reversed(), to: before, cause))
        }
        return .success(outcome)
    }

    /// Commits one table and reads it back: what stands in the kernel decides, not what the commit answered.
    ///
    /// - Returns: why the table is not as it should be; nil if it is.
    private func commit(_ id: TableID, _ table: Store.Prepared, _ ruleset: Ruleset, _ outcome: inout Outcome) -> NetfilterError? {
        var answer: NetfilterError?
        do { try table.commit() } catch { answer = error }
        let snapshot: TableSnapshot?
        do { snapshot = try store.snapshot(id) } catch { return answer ?? error }
        let goal = TableDifference.Goal(ruleset, id)
        guard TableDifference(id, from: snapshot, to: goal, hookPosition: hookPosition).isEmpty else {
            return answer
                ?? NetfilterError(
                    .changedMeanwhile,
                    "committing \(id): accepted by the kernel, but the table read back differs; another program writes without the lock")
        }
        if let answer {
            outcome.warnings.append("\(answer.message); the rules are in force all the same, some counters may be lost")
        }
        outcome.tables[id] = snapshot
        return nil
    }

    /// Brings tables back to what was in them, after `cause` kept one of them from its commit.
    private func putBack(_ ids: [TableID], to before: [TableID: TableSnapshot], _ cause: NetfilterError) -> ReconcileError {
        var causes = [cause]
        var hasChanged = false
        for id in ids {
            do {
                let goal = TableDifference.Goal(restoring: before[id], id)
                let difference = TableDifference(
                    id, from: try store.snapshot(id), to: goal, hookPosition: hookPosition)
                guard !difference.isEmpty else { continue }
                hasChanged = true
                try? store.prepare(id, difference.edits).commit()
                let after = TableDifference(id, from: try store.snapshot(id), to: goal, hookPosition: hookPosition)
                if !after.isEmpty {
                    causes.append(NetfilterError(.refused, "putting \(id) back: the kernel keeps what was committed"))
                }
            } catch {
                causes.append(error)
            }
        }
        return ReconcileError(causes.count > 1 ? .mixed : hasChanged ? .rolledBack : .unchanged, causes: causes)
    }
}
