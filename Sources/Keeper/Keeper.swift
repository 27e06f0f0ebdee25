public import API
public import ConfigurationFile
import FoundationEssentials
public import Logging
internal import Netfilter
internal import Planner
public import Reconciler
internal import Rules
public import Systemd

/// Why the daemon cannot start.
public struct BootFailure: Error, Sendable, CustomStringConvertible {
    /// Everything that is wrong, a line each.
    public let description: String
}

/// Keeps the kernel's rules as the configuration wants them: at the start, when the file changes, and when somebody alters them.
///
/// The one owner of the kernel's tables in the daemon. Everything it does happens in turn; what it knows stands on the board,
/// where it can be read without waiting for it.
public actor Keeper<Store: RuleStore, Time: Clock> where Time.Duration == Duration {
    /// What the daemon tells about itself.
    public nonisolated let board: StatusBoard

    private let configurationPath: String
    private let lastGood: LastGood
    private let store: Store
    private let clock: Time
    private let notifier: ServiceNotifier
    private let log: Logger
    private let executor: any SerialExecutor

    private var inForce: LoadedConfiguration
    private var ruleset = Ruleset()
    private var isFallback = false
    private var savedDigest: String?
    private var isReady = false

    /// The tables' sizes when they were last found right; nil: to be found out.
    private var knownSizes: [TableID: TableSize]?
    private var nextComparison: Time.Instant
    /// When the next attempt is due, after a failure or while somebody undoes repairs; nil: nothing is put off.
    private var retryDue: Time.Instant?
    private var failures = 0
    private var contention = Contention<Time.Instant>()
    private var reportedDrift: [Change] = []

    /// A keeper that has done nothing yet.
    ///
    /// - Parameters:
    ///   - executor: runs the keeper; a thread of its own, since commits and waiting for the xtables lock block it.
    ///   - configurationPath: the file; `conf.d` is looked for beside it.
    public init(
        _ store: Store, configurationPath: String, lastGood: LastGood, board: StatusBoard, notifier: ServiceNotifier, log: Logger,
        clock: Time, executor: any SerialExecutor
    ) {
        self.store = store
        self.configurationPath = configurationPath
        self.lastGood = lastGood
        self.board = board
        self.notifier = notifier
        self.log = log
        self.clock = clock
        self.executor = executor
        self.nextComparison = clock.now
        self.inForce = LoadedConfiguration(configuration: Configuration(), files: [], sha256: "")
    }

    /// The keeper's own thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Where metrics are to be served over TCP, as the configuration in force says.
    public var metricsListen: ListenAddress? { inForce.configuration.daemon.metricsListen }

    // MARK: - What is asked of it

    /// Reads the file, or the last good configuration where the file is missing or bad. To be called once, first.
    ///
    /// - Throws: when there is neither a good file nor a last good configuration.
    public func load() throws(BootFailure) {
        do throws(ConfigurationFaults) {
            use(try Configuration.load(path: configurationPath), isFallback: false)
        } catch {
            try fallBack(error)
        }
    }

    /// Brings the kernel to what was loaded.
    ///
    /// When that fails for a reason that may pass (the lock is taken, somebody else writes), the keeper goes on all the same, as
    /// `failed`, and `tick` tries again.
    /// - Returns: whether the kernel has the rules of the file itself.
    /// - Throws: when the kernel cannot have such rules at all.
    public func start() async throws -> Bool {
        try await inTurn {
            self.record(
                .started, "fwmarkd \(API.version) works from \(self.isFallback ? self.lastGood.path : self.configurationPath)")
            switch await self.reconcile(.boot) {
            case .success: return !self.isFallback
            case .failure(let error):
                if error.isPermanent { throw BootFailure(description: error.description) }
                return false
            }
        }
    }

    /// Reads the file again and brings the kernel to it; a bad file changes nothing.
    public func reload() async -> Result<Reconciliation, Problem> {
        await inTurn {
            self.notifier.send(.reloading, .status("reading \(self.configurationPath)"))
            defer { self.announce() }
            let loaded: LoadedConfiguration
            do throws(ConfigurationFaults) {
                loaded = try Configuration.load(path: self.configurationPath)
            } catch {
                return .failure(self.refuse(error))
            }
            if loaded.configuration.daemon.metricsListen != self.metricsListen {
                self.log.warning("metrics-listen is read at the start only: restart fwmarkd for it to change")
            }
            self.use(loaded, isFallback: false)
            return self.answer(await self.reconcile(.reload))
        }
    }

    /// Compares the kernel with the configuration in force, and mends it also where `on-drift` says to report only.
    public func reconcile() async -> Result<Reconciliation, Problem> {
        await inTurn { self.answer(await self.reconcile(.request)) }
    }

    /// Somebody may have changed a table: compares, unless a pause is being made.
    public func tablesMayHaveChanged() async {
        await inTurn { if self.retryDue == nil { await self.compare(.lock) } }
    }

    /// Does what is due: an attempt that was put off, the full comparison, the look at the tables' sizes.
    ///
    /// - Returns: how long nothing more will be due.
    public func tick() async -> Duration {
        await inTurn {
            let settings = self.inForce.configuration.daemon
            if let due = self.retryDue {
                if due <= self.clock.now { await self.mend(.retry) }
            } else if self.nextComparison <= self.clock.now {
                await self.compare(.resync)
            } else if self.haveSizesChanged() {
                await self.compare(.size)
            }
            self.notifier.send(.watchdog)
            let due = self.clock.now.duration(to: self.retryDue ?? self.nextComparison)
            let progress = self.notifier.watchdogInterval.map { $0 / 3 } ?? settings.checkInterval
            return max(min(settings.checkInterval, due, progress), .milliseconds(1))
        }
    }

    /// The daemon stops: the rules stay or go, as `on-stop` says.
    public func stop() async {
        await inTurn {
            self.notifier.send(.stopping)
            guard self.inForce.configuration.daemon.onStop == .remove else {
                self.record(.stopping, "stopping; the rules stay (on-stop: keep)")
                return
            }
            self.record(.stopping, "stopping; the rules are taken out (on-stop: remove)")
            self.ruleset = Ruleset()
            do throws(ReconcileError) {
                _ = try await self.reconciler.reconcile(to: self.ruleset)
            } catch {
                self.log.error("the rules could not be taken out: \(error)")
            }
        }
    }

    // MARK: - One thing at a time

    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Runs the body when everything that was asked for before is done: an actor alone would begin the next thing while this
    /// one pauses between two attempts.
    private func inTurn<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        if isBusy { await withCheckedContinuation { waiting.append($0) } } else { isBusy = true }
        defer {
            if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
        }
        return try await body()
    }

    // MARK: - Configurations

    private func use(_ loaded: LoadedConfiguration, isFallback: Bool) {
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

    private func fallBack(_ faults: ConfigurationFaults) throws(BootFailure) {
        _ = refuse(faults)
        do {
            use(try lastGood.load(), isFallback: true)
        } catch {
            throw BootFailure(description: "\(faults)\nthere is no last good configuration to use instead: \(error)")
        }
        savedDigest = inForce.sha256
        record(
            .fallback,
            "\(configurationPath) is refused, and the last good configuration in \(lastGood.path) is in force: mend the file, then reload"
        )
    }

    private func refuse(_ faults: ConfigurationFaults) -> Problem {
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

    private func keepAsLastGood() {
        guard !isFallback, savedDigest != inForce.sha256 else { return }
        do {
            try lastGood.save(inForce)
            savedDigest = inForce.sha256
        } catch {
            note(error: "the configuration could not be kept for the next boot: \(error)")
        }
    }

    // MARK: - The kernel

    private var reconciler: Reconciler<Store> {
        let settings = inForce.configuration.daemon
        return Reconciler(
            store, lockTimeout: settings.lockTimeout, hookPosition: settings.hookPosition == .first ? .first : .last, clock: clock)
    }

    /// Brings the kernel to the configuration, and notes how that went.
    private func reconcile(_ trigger: Trigger) async -> Result<Outcome, ReconcileError> {
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

    private func succeed(_ trigger: Trigger, _ outcome: Outcome, _ took: Duration) {
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
            contents.metrics.count(trigger, count == 0 ? .unchanged : .changed, seconds: took.seconds, lockSeconds: nil)
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

    private func fail(_ trigger: Trigger, _ error: ReconcileError, _ took: Duration) {
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
        if isNew { record(.failed, "\(error); next attempt in \(pause)") }
    }

    // MARK: - Drift

    private func sizes() throws(NetfilterError) -> [TableID: TableSize] {
        var sizes: [TableID: TableSize] = [:]
        for id in TableID.allCases { sizes[id] = try store.size(id) }
        return sizes
    }

    private func haveSizesChanged() -> Bool {
        guard let knownSizes, let sizes = try? sizes() else { return true }
        return sizes != knownSizes
    }

    /// Compares without the lock, so that looking disturbs nobody and is not taken for somebody else's writing.
    private func compare(_ trigger: Trigger) async {
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

    private func found(_ changes: [Change], _ trigger: Trigger, _ took: Duration) async {
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

    private func mend(_ trigger: Trigger) async { _ = await reconcile(trigger) }

    // MARK: - Telling

    private func answer(_ result: Result<Outcome, ReconcileError>) -> Result<Reconciliation, Problem> {
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

    private func lines(_ changes: [Change]) -> [String] {
        changes.prefix(Event.lineLimit).flatMap(\.lines)
    }

    private func note(error message: String) {
        log.error("\(message)")
        board.update { $0.status.lastError = TimedMessage(time: Date.now, message: message) }
    }

    private func record(_ kind: Event.Kind, _ message: String, lines: [String] = [], changeCount: Int = 0) {
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

    /// Tells the service manager: the state in a line, and once the rules are in the kernel that the daemon is ready.
    private func announce() {
        let status = board.contents.status
        let faults = status.configuration.faults.count
        let line =
            "\(status.state.rawValue): \(ruleset.ruleCount) rules, configuration \(status.configuration.sha256.prefix(12))"
            + (faults > 0 ? "; the file has \(faults) fault(s)" : "")
        if status.state == .inSync || status.state == .degraded { isReady = true }
        if isReady { notifier.send(.ready, .status(line)) } else { notifier.send(.status(line)) }
    }
}

extension ReconcileError {
    /// Whether trying again is of no use: privileges or parts of the kernel are missing.
    fileprivate var isPermanent: Bool {
        causes.contains { $0.code == .notPermitted || $0.code == .notSupported || $0.code == .unencodable }
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
    /// Rounded to microseconds.
    fileprivate var milliseconds: Double { (seconds * 1_000_000).rounded() / 1000 }
}
