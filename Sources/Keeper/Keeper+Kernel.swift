import API
import ConfigurationFile
import FoundationEssentials
import Logging
import Netfilter
import Reconciler
import Rules

extension Keeper {
    var reconciler: Reconciler<Store> {
        let settings = inForce.configuration.daemon
        return Reconciler(
            store, lockTimeout: settings.lockTimeout, hookPosition: settings.hookPosition == .first ? .first : .last, clock: clock)
    }

    /// Brings the kernel to the configuration, and notes how that went.
    func reconcile(_ trigger: Trigger) async -> Result<Outcome, ReconcileError> {
        let start = clock.now
        let result: Result<Outcome, ReconcileError>
        do throws(ReconcileError) {
            result = .success(try await reconciler.reconcile(to: ruleset))
        } catch {
            result = .failure(error)
        }
        let took = start.duration(to: clock.now)
        knownSizes = nil
        switch result {
        case .success(let outcome): succeed(trigger, outcome, took)
        case .failure(let error): fail(trigger, error, took)
        }
        announce()
        return result
    }

    func succeed(_ trigger: Trigger, _ outcome: Outcome, _ took: Duration) {
        failures = 0
        retryDue = nil
        reportedDrift = []
        nextComparison = clock.now.advanced(by: inForce.configuration.daemon.resyncInterval)
        let count = outcome.changes.count
        board.update { contents in
            contents.status.state = isFallback ? .degraded : .inSync
            contents.status.warnings = outcome.warnings
            contents.status.lastVerified = Date.now
            contents.status.lastReconcile = ReconcileStatus(
                trigger: trigger, time: Date.now, milliseconds: took.milliseconds, changes: count, attempts: outcome.attempts)
            contents.metrics.count(
                trigger, count == 0 ? .unchanged : .changed, seconds: took.seconds, lockSeconds: outcome.lockWait.seconds)
        }
        for warning in outcome.warnings { log.warning("\(warning)") }
        keepAsLastGood()
        switch trigger {
        case .boot, .reload, .request:
            let digest = inForce.sha256.prefix(12)
            record(
                .applied, "\(count) change(s) for configuration \(digest) in \(took.milliseconds) ms (\(trigger.rawValue))",
                lines: lines(outcome.changes), changeCount: count)
        case .resync, .size, .lock, .retry:
            guard count > 0 else { return }
            contention.repaired(at: clock.now)
            board.update { $0.metrics.countRepair() }
            record(
                .repaired, "\(count) change(s) made in \(took.milliseconds) ms", lines: lines(outcome.changes), changeCount: count)
        }
    }

    func fail(_ trigger: Trigger, _ error: ReconcileError, _ took: Duration) {
        failures += 1
        // 1 s, 2 s, 4 s … 64 s.
        let pause = Duration.seconds(1 << min(failures - 1, 6))
        retryDue = clock.now.advanced(by: pause)
        let isNew = board.contents.status.lastReconcile?.error != error.description
        board.update { contents in
            contents.status.state = .failed
            contents.status.lastReconcile = ReconcileStatus(
                trigger: trigger, time: Date.now, milliseconds: took.milliseconds, changes: 0, attempts: error.attempts,
                error: error.description)
            contents.status.lastError = TimedMessage(time: Date.now, message: error.description)
            contents.metrics.count(trigger, .failed, seconds: took.seconds, lockSeconds: nil)
        }
        // The daemon ends for that, and says why.
        if trigger == .boot, error.isPermanent { return }
        if isNew { record(.failed, "\(error); next attempt in \(pause)") }
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
    /// Rounded to microseconds.
    var milliseconds: Double { (seconds * 1_000_000).rounded() / 1000 }
}
