// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import FoundationEssentials
import Planner
import Reconciler
import Rules
import Systemd

// What becomes of configurations: taken into force, refused, kept for the next boot.
extension Keeper {
    func use(_ loaded: LoadedConfiguration, isFallback: Bool) {
        use(loaded, Planner.plan(for: loaded.configuration), isFallback: isFallback)
    }

    /// The configuration takes force: from now on it is what is kept.
    func use(_ loaded: LoadedConfiguration, _ plan: Plan, isFallback: Bool) {
        inForce = loaded
        self.plan = plan
        isProven = false
        let settings = loaded.configuration.daemon
        state.settings = .init(checkInterval: settings.checkInterval, repairs: settings.onDrift == .repair)
        state.tookForce(isFallback: isFallback)
        if isFallback {
            savedDigest = loaded.filesSHA256
        } else {
            warnings[.refusal] = nil
        }
        board.update { contents in
            contents.loaded = loaded
            contents.plan = plan
            contents.status.holdsConnectionTracking = plan.ruleset.holdsConnectionTracking
            contents.status.configuration.loaded = Date.now
            contents.status.configuration.fallback = isFallback
            if !isFallback { contents.status.configuration.errors = [] }
            contents.metrics.noteReload(isGood: !isFallback)
        }
        httpListenChanges.yield(settings.httpListen)
    }

    /// Notes what is going to be read: before it is, so that a file which changes meanwhile counts as changed.
    func noteFiles() {
        let files = FilesOnDisk(of: configurationPath)
        board.update { $0.files = files }
    }

    func recordFallback() {
        record(
            .fallback, "the last good configuration in \(lastGood.path) is in force: correct \(configurationPath), then reload")
    }

    /// The file is refused by its own rules.
    @discardableResult
    func refuse(_ errors: ConfigurationErrors) -> [FileError] {
        let count = counted(errors.count, "error")
        warnings[.refusal] = ["\(configurationPath) is refused (\(count)); what was in force before stays in force"]
        board.update { contents in
            contents.status.configuration.errors = errors.errors
            contents.metrics.noteReload(isGood: false)
        }
        record(
            .reloadRefused, "\(configurationPath) is refused, nothing is changed: \(count)", lines: errors.errors.map(\.description)
        )
        return errors.errors
    }

    /// A configuration that was read again and that the kernel does not take, forever or for now: the one before stays in force.
    func refuse(_ loaded: LoadedConfiguration, _ error: ReconcileError, _ took: Duration) -> Problem {
        lastGood.discardStaged()
        let isForEver = error.isRefusal
        if isForEver { state.refused(at: clock.now) } else { state.reloadFailed(isBusy: error.isBusy, at: clock.now) }
        let digest = loaded.sha256.prefix(12)
        warnings[.refusal] = [
            isForEver
                ? "the kernel refuses the configuration \(digest): \(error); what was in force before stays in force"
                : "the configuration \(digest) is not in force yet; retrying: \(error)"
        ]
        showState { contents in
            contents.metrics.noteReload(isGood: false)
            contents.metrics.count(.reload, .failed, seconds: took.seconds, lockSeconds: nil)
            if error.isBusy { contents.metrics.countLockTimeout() }
            contents.status.lastReconcile = ReconcileStatus(
                trigger: .reload, time: Date.now, milliseconds: took.milliseconds, changes: 0, attempts: error.attempts,
                error: error.description)
        }
        if isForEver {
            record(.reloadRefused, "the kernel refuses the configuration \(digest), the one before stays in force: \(error)")
            return .refusedByKernel(error.description)
        }
        if reportedError != error.description { record(.failed, "the configuration \(digest) is not in force yet: \(error)") }
        reportedError = error.description
        return .failed("\(error); the configuration before stays in force, and this one is being retried")
    }

    /// A configuration that the kernel refuses at the start.
    func refuseAtBoot(_ error: ReconcileError) {
        lastGood.discardStaged()
        warnings[.refusal] = ["the kernel refuses \(configurationPath): \(error)"]
        board.update { $0.metrics.noteReload(isGood: false) }
        record(.reloadRefused, "the kernel refuses \(configurationPath): \(error)")
    }

    /// What can be done for a configuration before the kernel has it: its digests, and most of keeping it for the next boot. nil where
    /// that is done.
    func keeping(_ loaded: LoadedConfiguration) -> (@Sendable () -> Void)? {
        guard !loaded.hasDigests else { return nil }
        let (lastGood, savedDigest) = (lastGood, savedDigest)
        return { @Sendable in
            if loaded.filesSHA256 != savedDigest { lastGood.stage(loaded) }
            _ = loaded.sha256
        }
    }

    /// Keeps what is in force for the next boot.
    func keepAsLastGood() {
        guard !state.isFallback, savedDigest != inForce.filesSHA256 else { return }
        do throws(LastGood.Failure) {
            try lastGood.save(inForce)
            savedDigest = inForce.filesSHA256
            warnings[.lastGood] = nil
        } catch {
            let message = "the configuration could not be kept for the next boot: \(error)"
            // Tried again with every reconcile, told once.
            if warnings[.lastGood] != [message] { note(error: message) }
            warnings[.lastGood] = [message]
        }
    }
}
