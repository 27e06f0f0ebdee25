// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import FoundationEssentials
import Glibc
import Logging
import Planner
import Reconciler
import Rules
import Systemd

// What the status board, the log and the service manager are told: each attempt, each event, and the state.
extension Keeper {
    /// The kernel has the rules of the configuration in force.
    func succeed(_ trigger: Trigger, _ outcome: Outcome, _ took: Duration) {
        let count = outcome.changes.count
        let isRepair = count > 0 && ![.boot, .reload, .request].contains(trigger)
        let wasProven = isProven
        state.wrote(trigger, changed: count > 0, at: clock.now)
        isProven = true
        reportedDrift = []
        reportedError = nil
        warnings[.kernel] = outcome.warnings
        keepAsLastGood()
        showState { contents in
            contents.status.lastVerified = Date.now
            contents.status.lastReconcile = ReconcileStatus(
                trigger: trigger, time: Date.now, milliseconds: took.milliseconds, changes: count, attempts: outcome.attempts)
            contents.metrics.count(
                trigger, count == 0 ? .unchanged : .changed, seconds: took.seconds, lockSeconds: outcome.lockWait.seconds)
            if isRepair, wasProven { contents.metrics.countRepair() }
        }
        for warning in outcome.warnings { log.warning("\(printable(warning))") }
        if isRepair, wasProven {
            record(
                .repaired, "\(counted(count, "change")) made in \(took.milliseconds) ms", lines: lines(outcome.changes),
                changeCount: count)
        } else if !wasProven || [.boot, .reload, .request].contains(trigger) {
            record(
                .applied,
                "\(counted(count, "change")) for configuration \(inForce.sha256.prefix(12)) in \(took.milliseconds) ms "
                    + "(\(trigger.rawValue))", lines: lines(outcome.changes), changeCount: count)
        }
    }

    /// Writing failed.
    func fail(_ trigger: Trigger, _ error: ReconcileError, _ took: Duration) {
        guard !stopSign.isStopping else { return }
        // The daemon ends for that, and says why.
        let isTheEnd = trigger == .boot && error.isHopeless
        if !isTheEnd { state.writingFailed(isBusy: error.isBusy, at: clock.now) }
        reportFailure(trigger, error, took)
    }

    func reportFailure(_ trigger: Trigger, _ error: ReconcileError, _ took: Duration) {
        let message = error.description
        showState { contents in
            contents.status.lastReconcile = ReconcileStatus(
                trigger: trigger, time: Date.now, milliseconds: took.milliseconds, changes: 0, attempts: error.attempts,
                error: message)
            contents.metrics.count(trigger, .failed, seconds: took.seconds, lockSeconds: nil)
            if error.isBusy { contents.metrics.countLockTimeout() }
        }
        guard state.life == .running else { return }
        if reportedError != message { record(.failed, message) }
        reportedError = message
    }

    func recordDrift(_ changes: Changes, _ trigger: Trigger) {
        reportedDrift = changes
        var writer = lastWriter.flatMap { $0.time.duration(to: clock.now) < .seconds(2) ? $0.writer : nil }
        lastWriter = nil
        if writer?.pid == getpid() { writer = nil }
        let who =
            if let writer {
                "written by \(printable(writer.program)) (process \(writer.pid))"
            } else if hearsAudit {
                "the kernel's audit names no writer"
            } else {
                "writer unknown (see AUDIT in fwmarkd(8))"
            }
        record(
            .drift,
            "the kernel differs in \(counted(changes.count, "place")) (found by: \(trigger.rawValue)), \(who); "
                + (state.settings.repairs ? "repairing:" : "on-drift says to report only; this would repair it:"),
            lines: lines(changes), changeCount: changes.count, writer: writer)
    }

    func answer(_ outcome: Outcome) -> Reconciliation {
        Reconciliation(
            changes: outcome.changes.prefix(Reconciliation.changeLimit).map { ChangeMessage($0) },
            changeCount: outcome.changes.count, warnings: inForce.warnings + outcome.warnings + (warnings[.lastGood] ?? []),
            milliseconds: board.contents.status.lastReconcile?.milliseconds ?? 0, sha256: inForce.sha256)
    }

    func lines(_ changes: Changes) -> [String] { changes.prefix(Event.lineLimit).map(\.line) }

    func note(error message: String) {
        log.error("\(printable(message))")
        board.update { $0.status.lastError = TimedMessage(time: Date.now, message: message) }
    }

    func record(
        _ kind: Event.Kind, _ message: String, lines: [String] = [], changeCount: Int = 0, writer: Event.Writer? = nil
    ) {
        let event = board.add(kind, message, lines: lines, changeCount: changeCount, writer: writer)
        let level: Logger.Level =
            switch kind {
            case .started, .stopping, .applied, .repaired, .calm: .notice
            case .drift, .contended, .missed: .warning
            case .reloadRefused, .fallback, .failed: .error
            }
        // A line for each, none of which comes from outside with a line break of its own.
        let text = ([event.message] + event.lines).map { printable($0) }.joined(separator: "\n")
        log.log(level: level, "\(text)", metadata: [StandardErrorLog.eventKey: "\(kind.rawValue)"])
        if level == .error { board.update { $0.status.lastError = TimedMessage(time: event.time, message: event.message) } }
    }

    /// Puts the state on the board, with the body's changes.
    func showState(_ body: (inout StatusBoard.Contents) -> Void = { _ in }) {
        let shown = state.shown
        let now = clock.now
        let next = state.nextAttempt.map { Date.now.addingTimeInterval(now.duration(to: $0).seconds) }
        board.update { contents in
            body(&contents)
            contents.status.configuration.sha256 = inForce.sha256
            if contents.status.state != shown { contents.status.since = Date.now }
            contents.status.state = shown
            contents.status.nextAttempt = next
            contents.status.reason = shown == .failed ? contents.status.lastReconcile?.error : nil
            contents.status.warnings = warnings.sorted { $0.key < $1.key }.flatMap(\.value)
        }
    }

    /// Sends the service manager the state in a line, and once the rules are in the kernel and the servers have tried to listen,
    /// that the daemon is ready.
    func announce() {
        guard state.life == .running else { return }
        showState()
        let status = board.contents.status
        let errors = status.configuration.errors.count
        var line =
            "\(status.state.rawValue): \(counted(plan.ruleset.ruleCount, "rule")), configuration \(status.configuration.sha256.prefix(12))"
        if errors > 0 { line += "; the file has \(counted(errors, "error"))" }
        if let reason = status.reason { line += "; \(reason)" }
        if status.state.isSettled, areServersTried { isReady = true }
        if isReady { notifier.send(.ready, .status(line)) } else { notifier.send(.status(line)) }
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
    /// Rounded to microseconds.
    var milliseconds: Double { (seconds * 1_000_000).rounded() / 1000 }
}
