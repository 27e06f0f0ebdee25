import API
import ConfigurationFile
import FoundationEssentials
import Netfilter
import Reconciler
import Rules

extension Keeper {
    func sizes() throws(NetfilterError) -> [TableID: TableSize] {
        var sizes: [TableID: TableSize] = [:]
        for id in TableID.allCases { sizes[id] = try store.size(id) }
        return sizes
    }

    func haveSizesChanged() -> Bool {
        guard let knownSizes, let sizes = try? sizes() else { return true }
        return sizes != knownSizes
    }

    /// Compares without the lock, so that looking disturbs nobody and is not taken for somebody else's writing.
    func compare(_ trigger: Trigger) async {
        let start = clock.now
        nextComparison = start.advanced(by: inForce.configuration.daemon.resyncInterval)
        let outcome: Outcome
        do {
            // Sizes first: what changes after this look is seen by the next.
            knownSizes = try sizes()
            outcome = try reconciler.difference(to: ruleset)
        } catch {
            fail(trigger, ReconcileError(.unchanged, causes: [error]), start.duration(to: clock.now))
            announce()
            return
        }
        let took = start.duration(to: clock.now)
        guard outcome.changes.isEmpty else {
            knownSizes = nil
            await found(outcome.changes, trigger, took)
            return
        }
        let isCalm = contention.calm(at: clock.now)
        let wasRight = board.contents.status.state == .inSync || board.contents.status.state == .degraded
        reportedDrift = []
        board.update { contents in
            contents.status.state = isFallback ? .degraded : .inSync
            contents.status.warnings = outcome.warnings
            contents.status.lastVerified = Date.now
            contents.metrics.count(trigger, .unchanged, seconds: took.seconds, lockSeconds: nil)
            if isCalm { contents.metrics.isContended = false }
        }
        if isCalm { record(.calm, "nobody undoes the repairs any more") }
        if !wasRight { announce() }
    }

    func found(_ changes: [Change], _ trigger: Trigger, _ took: Duration) async {
        if changes != reportedDrift {
            reportedDrift = changes
            record(
                .drift, "the kernel differs in \(changes.count) place(s) (found by: \(trigger.rawValue)); what mends it:",
                lines: lines(changes),
                changeCount: changes.count)
            board.update { $0.metrics.countDrift(changes.lazy.map(\.kind.rawValue)) }
        }
        board.update { $0.status.state = .drifted }
        guard inForce.configuration.daemon.onDrift == .repair else {
            board.update { $0.metrics.count(trigger, .changed, seconds: took.seconds, lockSeconds: nil) }
            announce()
            return
        }
        let wasContended = contention.isContended
        let due = contention.drift(at: clock.now)
        if contention.isContended != wasContended {
            board.update { $0.metrics.isContended = contention.isContended }
            if contention.isContended {
                record(
                    .contended,
                    "another program has undone \(contention.undone) repairs in a row; from now on they are made with growing pauses. "
                        + "What it undoes:", lines: lines(changes), changeCount: changes.count)
            }
        }
        guard due > clock.now else {
            await mend(trigger)
            return
        }
        retryDue = due
        announce()
    }

    func mend(_ trigger: Trigger) async { _ = await reconcile(trigger) }
}
