// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import FoundationEssentials
import Logging
import Netfilter
import Planner
import Reconciler
import Rules
import SystemCalls
import Systemd

// What the state says is to be done.
extension Keeper {
    func bootNow() async throws(BootFailure) -> Bool {
        record(.started, "fwmarkd \(API.version) started with \(configurationPath)")
        noteFiles()
        do throws(ConfigurationErrors) {
            use(try Configuration.load(path: configurationPath), isFallback: false)
        } catch {
            refuse(error)
            let why = "there is no last good configuration to use instead"
            do throws(LastGood.Failure) { use(try lastGood.load(), isFallback: true) } catch let failure {
                throw BootFailure(description: "\(error)\n\(why): \(failure)")
            }
            recordFallback()
        }
        switch await tryWriting(.boot) {
        case .success: return !state.isFallback
        case .failure(let error):
            // Rights that are missing, and tables that the kernel has not got, are missing for every configuration.
            guard error.isHopeless else { return false }
            throw BootFailure(description: error.description)
        }
    }

    func reloadNow() async -> Result<Reconciliation, Problem> {
        reloads.begin()
        state.reloadBegun()
        let answer = await measured { await readAgain() }
        reloads.end(answer)
        announce()
        Memory.giveBack()
        return answer
    }

    private func readAgain() async -> Result<Reconciliation, Problem> {
        notifier.send(.reloading, .status("reading \(configurationPath)"))
        let loaded: LoadedConfiguration
        noteFiles()
        do throws(ConfigurationErrors) {
            loaded = try Configuration.load(path: configurationPath, knowing: inForce)
        } catch {
            state.refused(at: clock.now)
            return .failure(.refused(refuse(error)))
        }
        let next = Planner.plan(for: loaded.configuration)
        let start = clock.now
        do throws(ReconcileError) {
            let outcome = try await reconciler(loaded.configuration.daemon).reconcile(
                to: next.ruleset, meanwhile: keeping(loaded))
            use(loaded, next, isFallback: false)
            succeed(.reload, outcome, start.duration(to: clock.now))
            return .success(answer(outcome))
        } catch {
            return .failure(refuse(loaded, error, start.duration(to: clock.now)))
        }
    }

    /// Brings the kernel to the configuration in force.
    func write(_ trigger: Trigger) async -> Result<Reconciliation, Problem> {
        if trigger == .request { reconciles.begin() }
        let result = await measured { await tryWriting(trigger) }
        let answer: Result<Reconciliation, Problem> =
            switch result {
            case .success(let outcome): .success(self.answer(outcome))
            case .failure(let error): .failure(.failed(error.description))
            }
        if trigger == .request { reconciles.end(answer) }
        return answer
    }

    private func tryWriting(_ trigger: Trigger) async -> Result<Outcome, ReconcileError> {
        defer { announce() }
        let start = clock.now
        do throws(ReconcileError) {
            let outcome = try await reconciler(inForce.configuration.daemon).reconcile(
                to: plan.ruleset, meanwhile: keeping(inForce))
            succeed(trigger, outcome, start.duration(to: clock.now))
            return .success(outcome)
        } catch {
            // A file that the kernel has never had and refuses: the last good configuration is better than nothing.
            if !isProven, !state.isFallback, error.isRefusal, let kept = try? lastGood.load(),
                kept.filesSHA256 != inForce.filesSHA256
            {
                refuseAtBoot(error)
                use(kept, isFallback: true)
                recordFallback()
                return await tryWriting(trigger)
            }
            fail(trigger, error, start.duration(to: clock.now))
            return .failure(error)
        }
    }

    /// Compares without the lock, so that looking disturbs no other program and gives no hint of its own.
    func compare(_ trigger: Trigger) {
        let (start, costBefore) = (clock.now, processorTime())
        do throws(NetfilterError) {
            let outcome = try reconciler(inForce.configuration.daemon).difference(to: plan.ruleset)
            let took = start.duration(to: clock.now)
            let cost = processorTime() - costBefore
            state.spent(cost, at: clock.now)
            if outcome.changes.isEmpty {
                foundRight(trigger, outcome, cost, took)
            } else {
                foundDrift(trigger, outcome, cost, took)
            }
        } catch {
            let cost = processorTime() - costBefore
            state.spent(cost, at: clock.now)
            state.comparisonFailed(cost: cost, at: clock.now)
            reportFailure(trigger, ReconcileError(.unchanged, causes: [error]), start.duration(to: clock.now))
            announce()
        }
    }

    private func foundRight(_ trigger: Trigger, _ outcome: Outcome, _ cost: Duration, _ took: Duration) {
        let wasRight = state.shown.isSettled
        let isCalm = state.foundRight(cost: cost, at: clock.now)
        reportedDrift = []
        reportedError = nil
        warnings[.kernel] = outcome.warnings
        if isCalm { warnings[.undoing] = nil }
        showState { contents in
            contents.status.lastVerified = Date.now
            contents.metrics.count(trigger, .unchanged, seconds: took.seconds, lockSeconds: nil)
            contents.metrics.isContended = contents.metrics.isContended && !isCalm
        }
        if isCalm { record(.calm, "repairs are no longer being undone") }
        if !wasRight { announce() }
    }

    private func foundDrift(_ trigger: Trigger, _ outcome: Outcome, _ cost: Duration, _ took: Duration) {
        let wasReported = state.undoing.isReported
        let isUndone = state.foundDrift(trigger, cost: cost, at: clock.now)
        let isNew = outcome.changes != reportedDrift
        if isNew { recordDrift(outcome.changes, trigger) }
        if state.undoing.isReported {
            warnings[.undoing] = ["another program has undone \(state.undoing.count) repairs in a row; see `fwmarkctl events`"]
        }
        showState { contents in
            if isNew { contents.metrics.countDrift(outcome.changes.lazy.map(\.kind)) }
            if isUndone { contents.metrics.countUndone() }
            contents.metrics.isContended = state.undoing.isReported
            if !state.settings.repairs {
                contents.metrics.count(trigger, .changed, seconds: took.seconds, lockSeconds: nil)
            }
        }
        if state.undoing.isReported, !wasReported {
            record(
                .contended, "another program has undone \(state.undoing.count) repairs in a row. What it undoes:",
                lines: lines(outcome.changes), changeCount: outcome.changes.count)
        }
        if !state.settings.repairs { announce() }
    }

    func stopNow() async {
        guard !hasStopped else { return }
        hasStopped = true
        notifier.send(.stopping)
        guard inForce.configuration.daemon.onStop == .remove else {
            record(.stopping, "stopping; the rules stay (on-stop: keep)")
            return
        }
        record(.stopping, "stopping; the rules are removed (on-stop: remove)")
        let progress = progress
        // Stopping has begun, and this is part of it: a clock of its own.
        let clock = StoppableClock(base: clock, stop: StopSign()) { progress.tell() }
        do throws(ReconcileError) {
            _ = try await reconciler(inForce.configuration.daemon, clock).reconcile(to: Ruleset())
        } catch {
            log.error("the rules could not be removed: \(error)")
        }
    }

    // MARK: - Parts

    private func reconciler(_ settings: DaemonSettings, _ clock: StoppableClock<Time>? = nil) -> Reconciler<Store> {
        let progress = progress
        return Reconciler(
            store, lockTimeout: settings.lockTimeout, hookPosition: settings.hookPosition,
            clock: clock ?? StoppableClock(base: self.clock, stop: stopSign) { progress.tell() })
    }

    /// Counts what the body costs.
    private func measured<Value>(_ body: () async -> Value) async -> Value {
        let before = processorTime()
        let value = await body()
        state.spent(processorTime() - before, at: clock.now)
        return value
    }
}
