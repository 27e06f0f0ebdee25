package import Netfilter
package import Rules

/// Brings the kernel's tables to a ruleset, and proves it.
///
/// One attempt holds the xtables lock from the reading to the reading after the commits. The tables' order is fixed: nat before
/// mangle, so that a packet is never marked whose way back is not translated; the other way round when all is removed.
package struct Reconciler<Store: RuleStore>: Sendable {
    /// How attempts follow one another.
    package struct Retries: Sendable, Hashable {
        /// How many attempts there are at most.
        package var limit = 6
        /// The pause after the first; each further one is twice as long.
        package var firstPause = Duration.milliseconds(20)

        /// The pause between two looks at a lock that somebody else has.
        package var lockPause = Duration.milliseconds(2)

        /// The defaults: six attempts within about a second.
        package init() {}

        /// The pause after the attempt of that number, counted from 1, with up to half of it added at random so that
        /// two programs in step get out of it.
        func pause(after attempt: Int) -> Duration {
            let plain = firstPause * (1 << min(attempt - 1, 16))
            return plain + plain * Double.random(in: 0..<0.5)
        }
    }

    let store: Store
    private let clock: any Clock<Duration>
    private let retries: Retries
    /// How long to wait for the xtables lock.
    package var lockTimeout: Duration
    /// Where a missing jump is put.
    package var hookPosition: TableDifference.HookPosition

    /// A reconciler of the store's tables.
    package init(
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
    package func difference(to ruleset: Ruleset) throws(NetfilterError) -> Outcome {
        var outcome = Outcome()
        for difference in try differences(to: ruleset, &outcome.tables) {
            outcome.changes += difference.changes
            outcome.warnings += difference.warnings
        }
        return outcome
    }

    /// Makes the tables equal the ruleset, with as many attempts as `retries` allows. Runs where its caller runs.
    ///
    /// Nothing is committed when nothing differs. When it throws, the error says what the kernel is left with. A cancelled task
    /// makes no further attempt; one that has begun is brought to its end.
    package nonisolated(nonsending) func reconcile(to ruleset: Ruleset) async throws(ReconcileError) -> Outcome {
        try preflight(ruleset)
        var wayBack: WayBack = [:]
        var lockWait = Duration.zero
        var attempt = 1
        while true {
            let result: Result<Outcome, FailedAttempt>
            do {
                result = try await withLock(&lockWait) { self.attempt(ruleset, wayBack) }
            } catch {
                throw ReconcileError(wayBack.isEmpty ? .unchanged : .mixed, causes: [error], attempts: attempt)
            }
            switch result {
            case .success(var outcome):
                outcome.attempts = attempt
                outcome.lockWait = lockWait
                return outcome
            case .failure(let failed):
                let last = ReconcileError(failed.error.state, causes: failed.error.causes, attempts: attempt)
                guard last.isWorthRetrying, attempt < retries.limit else { throw last }
                wayBack = failed.wayBack
                do { try await clock.sleep(for: retries.pause(after: attempt)) } catch { throw last }
                attempt += 1
            }
        }
    }

    /// Runs `body` under the xtables lock as soon as it is free, at most `lockTimeout` from now.
    ///
    /// - Parameter waited: grows by the time until the lock was free.
    nonisolated(nonsending) func withLock<Value>(
        _ waited: inout Duration, _ body: () -> Value
    ) async throws(NetfilterError) -> Value {
        try await withLock(clock, &waited, body)
    }

    private nonisolated(nonsending) func withLock<Value, Time: Clock<Duration>>(
        _ clock: Time, _ waited: inout Duration, _ body: () -> Value
    ) async throws(NetfilterError) -> Value {
        let start = clock.now
        let deadline = start.advanced(by: lockTimeout)
        while true {
            let before = clock.now
            if let value = try store.withLockIfFree(body) {
                waited += start.duration(to: before)
                return value
            }
            guard clock.now < deadline else {
                throw NetfilterError(
                    .lockTimeout,
                    "another program has held the xtables lock \(store.lockPath) for more than \(lockTimeout); "
                        + "find it with `fuser -v \(store.lockPath)`")
            }
            do {
                try await clock.sleep(for: retries.lockPause)
            } catch {
                throw NetfilterError(.other, "stopped while waiting for the xtables lock \(store.lockPath)")
            }
        }
    }

    // MARK: - One attempt

    /// Names what the kernel lacks before anything is tried: a commit is refused as a whole, without saying for which rule.
    func preflight(_ ruleset: Ruleset) throws(ReconcileError) {
        var missing: [String] = []
        do {
            for (id, chains) in ruleset.tables.sorted(by: { $0.key < $1.key }) {
                missing += try store.missingExtensions(for: chains, id.family).filter { !missing.contains($0) }
            }
        } catch {
            throw ReconcileError(.unchanged, causes: [error])
        }
        guard missing.isEmpty else {
            throw ReconcileError(.unchanged, causes: missing.map { NetfilterError(.notSupported, $0) })
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

    /// What tables held before they were committed; nil for one that did not exist.
    private typealias WayBack = [TableID: TableSnapshot?]

    /// Why an attempt came to nothing.
    private struct FailedAttempt: Error {
        let error: ReconcileError
        /// What could not be put back; the next attempt that fails tries again.
        let wayBack: WayBack
    }

    /// Reads, compares, commits and reads again. The lock is held.
    ///
    /// - Parameter wayBack: what attempts before this one could not put back.
    private func attempt(_ ruleset: Ruleset, _ wayBack: WayBack) -> Result<Outcome, FailedAttempt> {
        var outcome = Outcome()
        var prepared: [(id: TableID, table: Store.Prepared)] = []
        var cause: NetfilterError?
        do {
            var differences = try differences(to: ruleset, &outcome.tables)
            if ruleset.tables.isEmpty { differences.reverse() }
            for difference in differences {
                outcome.changes += difference.changes
                outcome.warnings += difference.warnings
                if !difference.isEmpty { prepared.append((difference.id, try store.prepare(difference.id, difference.edits))) }
            }
        } catch {
            cause = error
        }
        var wayBack = wayBack
        if cause == nil {
            let found = outcome.tables
            for (id, table) in prepared {
                if !wayBack.keys.contains(id) { wayBack.updateValue(found[id], forKey: id) }
                cause = commit(id, table, ruleset, &outcome)
                if cause != nil { break }
            }
        }
        guard let cause else { return .success(outcome) }
        let error = putBack(wayBack, cause, inReverse: !ruleset.tables.isEmpty)
        return .failure(FailedAttempt(error: error, wayBack: error.state == .mixed ? wayBack : [:]))
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
                    "committing \(id): accepted by the kernel, but the table read back differs; another program writes without the lock"
                )
        }
        if let answer {
            outcome.warnings.append("\(answer.message); the rules are in force all the same, some counters may be lost")
        }
        outcome.tables[id] = snapshot
        return nil
    }

    /// Brings tables back to what was in them, after `cause` kept one of them from its commit.
    private func putBack(_ wayBack: WayBack, _ cause: NetfilterError, inReverse: Bool) -> ReconcileError {
        var failures: [NetfilterError] = []
        var hasChanged = false
        for id in inReverse ? wayBack.keys.sorted().reversed() : wayBack.keys.sorted() {
            do {
                let goal = TableDifference.Goal(restoring: wayBack[id] ?? nil)
                let difference = TableDifference(id, from: try store.snapshot(id), to: goal, hookPosition: hookPosition)
                guard !difference.isEmpty else { continue }
                hasChanged = true
                var answer: NetfilterError?
                do { try store.prepare(id, difference.edits).commit() } catch { answer = error }
                let after = TableDifference(id, from: try store.snapshot(id), to: goal, hookPosition: hookPosition)
                if !after.isEmpty {
                    let why = answer.map { ": \($0.message)" } ?? ""
                    failures.append(NetfilterError(answer?.code ?? .refused, "\(id) could not be put back\(why)"))
                }
            } catch {
                failures.append(error)
            }
        }
        let state: ReconcileError.State = !failures.isEmpty ? .mixed : hasChanged ? .rolledBack : .unchanged
        return ReconcileError(state, causes: [cause] + failures)
    }
}
