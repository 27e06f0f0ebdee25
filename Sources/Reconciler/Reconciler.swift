// SPDX-License-Identifier: GPL-2.0-or-later
package import Netfilter
package import Rules

/// Brings the kernel's tables to a ruleset, and proves it.
///
/// One attempt holds the xtables lock from the reading to the reading after the commits. The tables' order is fixed: raw, nat,
/// mangle, so that a packet is never marked whose way back is not translated; the other way round when all is removed. There the
/// rule that holds connection tracking goes last of all.
package struct Reconciler<Store: RuleStore>: Sendable {
    /// How attempts follow one another.
    package struct Retries: Sendable, Hashable {
        /// How many attempts there are at most.
        package var limit = 6
        /// The pause after the first; each further one is twice as long.
        package var firstPause = Duration.milliseconds(20)

        /// The pause between two looks at a lock that another program has.
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
    package var hookPosition: HookPosition

    /// A reconciler of the store's tables.
    package init(
        _ store: Store,
        lockTimeout: Duration = .seconds(10),
        hookPosition: HookPosition = .first,
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
        try Transaction(store, ruleset, [], hookPosition, nil).difference()
    }

    /// Makes the tables equal the ruleset, with as many attempts as `retries` allows. Runs where its caller runs.
    ///
    /// Nothing is committed when nothing differs. When it throws, the error says what the kernel is left with. A cancelled task
    /// makes no further attempt; one that has begun is brought to its end.
    ///
    /// - Parameters:
    ///   - replacements: rules of other programs that go in the commits in which ours appear. Each must be of another table.
    ///   - meanwhile: other work for a thread of its own, begun when the kernel begins to commit and done when this returns; not done
    ///     where nothing is committed.
    package nonisolated(nonsending) func reconcile(
        to ruleset: Ruleset, replacing replacements: [Replacement] = [], meanwhile: (@Sendable () -> Void)? = nil
    ) async throws(ReconcileError) -> Outcome {
        try preflight(ruleset)
        var transaction = Transaction(store, ruleset, replacements, hookPosition, meanwhile)
        var lockWait = Duration.zero
        var attempt = 1
        while true {
            let result: Result<Outcome, ReconcileError>
            do {
                result = try await withLock(&lockWait) { transaction.attempt() }
            } catch {
                throw ReconcileError(transaction.isClean ? .unchanged : .mixed, causes: [error], attempts: attempt)
            }
            switch result {
            case .success(var outcome):
                outcome.attempts = attempt
                outcome.lockWait = lockWait
                return outcome
            case .failure(let error):
                let last = ReconcileError(error.state, causes: error.causes, attempts: attempt)
                guard last.isWorthAnotherAttempt, attempt < retries.limit else { throw last }
                do { try await clock.sleep(for: retries.pause(after: attempt)) } catch { throw last }
                attempt += 1
            }
        }
    }

    /// Runs `body` under the xtables lock as soon as it is free, at most `lockTimeout` from now.
    ///
    /// - Parameter waited: grows by the time until the lock was free.
    private nonisolated(nonsending) func withLock<Value>(
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

    /// Names what the kernel lacks before anything is tried: a commit is refused as a whole, without saying for which rule.
    private func preflight(_ ruleset: Ruleset) throws(ReconcileError) {
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
}
