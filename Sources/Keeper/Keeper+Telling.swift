import API
import ConfigurationFile
import FoundationEssentials
import Logging
import Reconciler
import Rules
import Systemd

extension Keeper {
    func answer(_ result: Result<Outcome, ReconcileError>) -> Result<Reconciliation, Problem> {
        switch result {
        case .success(let outcome):
            .success(
                Reconciliation(
                    changes: outcome.changes.prefix(Reconciliation.changeLimit).map { ChangeMessage($0) },
                    changeCount: outcome.changes.count, warnings: outcome.warnings,
                    milliseconds: board.contents.status.lastReconcile?.milliseconds ?? 0, sha256: inForce.sha256))
        case .failure(let error): .failure(.failed(error.description))
        }
    }

    func lines(_ changes: [Change]) -> [String] {
        changes.prefix(Event.lineLimit).flatMap(\.lines)
    }

    func note(error message: String) {
        log.error("\(message)")
        board.update { $0.status.lastError = TimedMessage(time: Date.now, message: message) }
    }

    func record(_ kind: Event.Kind, _ message: String, lines: [String] = [], changeCount: Int = 0) {
        let event = board.add(kind, message, lines: lines, changeCount: changeCount)
        let level: Logger.Level =
            switch kind {
            case .started, .stopping, .applied, .repaired, .calm: .notice
            case .drift, .contended, .missed: .warning
            case .reloadRefused, .fallback, .failed: .error
            }
        log.log(level: level, "\(([event.message] + event.lines).joined(separator: "\n"))")
        if level == .error {
            let detail = ([event.message] + event.lines).joined(separator: "\n")
            board.update { $0.status.lastError = TimedMessage(time: event.time, message: detail) }
        }
    }

    /// Tells the service manager, if it wants to know, that the keeper does what is due.
    func tellProgress() {
        guard let interval = notifier.watchdogInterval, nextProgress <= clock.now else { return }
        notifier.send(.watchdog)
        nextProgress = clock.now.advanced(by: interval / 4)
    }

    /// Tells the service manager: the state in a line, and once the rules are in the kernel that the daemon is ready.
    func announce() {
        let status = board.contents.status
        let faults = status.configuration.faults.count
        let line =
            "\(status.state.rawValue): \(ruleset.ruleCount) rules, configuration \(status.configuration.sha256.prefix(12))"
            + (faults > 0 ? "; the file has \(faults) fault(s)" : "")
        if status.state == .inSync || status.state == .degraded { isReady = true }
        if isReady { notifier.send(.ready, .status(line)) } else { notifier.send(.status(line)) }
    }
}
