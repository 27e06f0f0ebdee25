package import API
package import ConfigurationFile
import FoundationEssentials
package import Logging
import Netfilter
import Planner
package import Reconciler
import Rules
package import Systemd

/// Why the daemon cannot start.
package struct BootFailure: Error, Sendable, CustomStringConvertible {
    /// Everything that is wrong, a line each.
    package let description: String
}

/// Keeps the kernel's rules as the configuration wants them: at the start, when the file changes, and when somebody alters them.
///
/// The one owner of the kernel's tables in the daemon. Everything it does happens in turn; what it knows stands on the board,
/// where it can be read without waiting for it.
package actor Keeper<Store: RuleStore, Time: Clock> where Time.Duration == Duration {
    /// What the daemon tells about itself.
    package nonisolated let board: StatusBoard

    let configurationPath: String
    let lastGood: LastGood
    let store: Store
    let clock: Time
    let notifier: ServiceNotifier
    let log: Logger
    let executor: any SerialExecutor

    var inForce: LoadedConfiguration
    var ruleset = Ruleset()
    var isFallback = false
    var savedDigest: String?
    var isReady = false

    /// The tables' sizes when they were last found right; nil: to be found out.
    var knownSizes: [TableID: TableSize]?
    var nextComparison: Time.Instant
    /// When the next attempt is due, after a failure or while somebody undoes repairs; nil: nothing is put off.
    var retryDue: Time.Instant?
    var failures = 0
    /// When the service manager is to hear of progress again.
    var nextProgress: Time.Instant
    var contention = Contention<Time.Instant>()
    var reportedDrift: [Change] = []

    /// A keeper that has done nothing yet.
    ///
    /// - Parameters:
    ///   - executor: runs the keeper; a thread of its own, since commits and waiting for the xtables lock block it.
    ///   - configurationPath: the file; `conf.d` is looked for beside it.
    package init(
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
        self.nextProgress = clock.now
        self.inForce = LoadedConfiguration(configuration: Configuration(), files: [], sha256: "")
    }

    /// The keeper's own thread.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Where metrics are to be served over TCP, as the configuration in force says.
    package var metricsListen: ListenAddress? { inForce.configuration.daemon.metricsListen }

    // MARK: - What is asked of it

    /// Reads the file, or the last good configuration where the file is missing or bad. To be called once, first.
    ///
    /// - Throws: when there is neither a good file nor a last good configuration.
    package func load() throws(BootFailure) {
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
    package func start() async throws -> Bool {
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
    package func reload() async -> Result<Reconciliation, Problem> {
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
    package func reconcile() async -> Result<Reconciliation, Problem> {
        await inTurn { self.answer(await self.reconcile(.request)) }
    }

    /// Somebody may have changed a table: compares, unless a pause is being made.
    package func tablesMayHaveChanged() async {
        await inTurn { if self.retryDue == nil { await self.compare(.lock) } }
    }

    /// Does what is due: an attempt that was put off, the full comparison, the look at the tables' sizes.
    ///
    /// - Returns: how long nothing more will be due.
    package func tick() async -> Duration {
        await inTurn {
            let settings = self.inForce.configuration.daemon
            if let due = self.retryDue {
                if due <= self.clock.now { await self.mend(.retry) }
            } else if self.nextComparison <= self.clock.now {
                await self.compare(.resync)
            } else if self.haveSizesChanged() {
                await self.compare(.size)
            }
            self.tellProgress()
            let due = self.clock.now.duration(to: self.retryDue ?? self.nextComparison)
            let progress = self.notifier.watchdogInterval.map { $0 / 3 } ?? settings.checkInterval
            return max(min(settings.checkInterval, due, progress), .milliseconds(1))
        }
    }

    /// The daemon stops: the rules stay or go, as `on-stop` says.
    package func stop() async {
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

    var isBusy = false
    var waiting: [CheckedContinuation<Void, Never>] = []

    /// Runs the body when everything that was asked for before is done: an actor alone would begin the next thing while this
    /// one pauses between two attempts.
    func inTurn<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        if isBusy { await withCheckedContinuation { waiting.append($0) } } else { isBusy = true }
        defer {
            if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
        }
        return try await body()
    }
}

extension ReconcileError {
    /// Whether trying again is of no use: privileges or parts of the kernel are missing.
    var isPermanent: Bool {
        causes.contains { $0.code == .notPermitted || $0.code == .notSupported || $0.code == .unencodable }
    }
}
