import API
import ConfigurationFile
import FoundationEssentials
import Planner
import Systemd

extension Keeper {
    func use(_ loaded: LoadedConfiguration, isFallback: Bool) {
        inForce = loaded
        self.isFallback = isFallback
        ruleset = Planner.ruleset(for: loaded.configuration)
        let lockTimeout = loaded.configuration.daemon.lockTimeout
        // While it waits for the lock the keeper makes no progress; that is not to be taken for a hang.
        if let interval = notifier.watchdogInterval, lockTimeout * 2 > interval {
            notifier.send(.watchdogInterval(lockTimeout * 4))
        }
        board.update { contents in
            contents.configuration = loaded.configuration
            contents.status.configuration.sha256 = loaded.sha256
            contents.status.configuration.loaded = Date.now
            contents.status.configuration.fallback = isFallback
            if !isFallback { contents.status.configuration.faults = [] }
            contents.metrics.noteReload(isGood: !isFallback)
        }
    }

    func fallBack(_ faults: ConfigurationFaults) throws(BootFailure) {
        let kept: LoadedConfiguration
        do {
            kept = try lastGood.load()
        } catch {
            throw BootFailure(description: "\(faults)\nthere is no last good configuration to use instead: \(error)")
        }
        _ = refuse(faults)
        use(kept, isFallback: true)
        savedDigest = inForce.sha256
        record(
            .fallback,
            "\(configurationPath) is refused, and the last good configuration in \(lastGood.path) is in force: mend the file, then reload"
        )
    }

    func refuse(_ faults: ConfigurationFaults) -> Problem {
        let messages = faults.faults.map { FaultMessage($0) }
        board.update { contents in
            contents.status.configuration.faults = messages
            contents.metrics.noteReload(isGood: false)
        }
        record(
            .reloadRefused, "\(configurationPath) is refused, nothing is changed: \(faults.faults.count) fault(s)",
            lines: messages.map(\.text))
        return .refused(messages)
    }

    func keepAsLastGood() {
        guard !isFallback, savedDigest != inForce.sha256 else { return }
        do {
            try lastGood.save(inForce)
            savedDigest = inForce.sha256
        } catch {
            note(error: "the configuration could not be kept for the next boot: \(error)")
        }
    }
}
