// SPDX-License-Identifier: GPL-2.0-or-later
package import API
package import ConfigurationFile
import FoundationEssentials
import Glibc
package import Logging
import Netfilter
import Planner
package import Reconciler
import Rules
import SystemCalls
package import Systemd

/// Why the daemon cannot start.
package struct BootFailure: Error, Sendable, CustomStringConvertible {
    /// Everything that is wrong, a line each.
    package let description: String
}

/// Keeps the kernel's rules as the configuration wants them: at the start, when the file changes, and when other programs alter them.
///
/// The one writer of the kernel's tables in the daemon. What it decides is in `KeeperState`; it only does it, one thing at a time.
/// What it knows is on the board, where it can be read without waiting for it.
package actor Keeper<Store: RuleStore, Time: Clock> where Time.Duration == Duration {
    /// What the daemon tells about itself.
    package nonisolated let board: StatusBoard
    /// Where the page and the reading API are to be served over TCP; a new value whenever that changes. For one reader.
    package nonisolated let httpListen: AsyncStream<ListenAddress?>

    let httpListenChanges: AsyncStream<ListenAddress?>.Continuation
    let configurationPath: String
    let lastGood: LastGood
    let store: Store
    let clock: Time
    let notifier: ServiceNotifier
    let progress: Watchdog<Time>
    let log: Logger
    let executor: any SerialExecutor
    let processorTime: @Sendable () -> Duration
    let stopSign = StopSign()

    var state: KeeperState<Time.Instant>
    var inForce: LoadedConfiguration
    var plan: Plan
    /// Whether the kernel has had the configuration in force since the start.
    var isProven = false
    var savedDigest: String?
    var isReady = false
    /// Whether there is no server left that has not tried to listen yet.
    var areServersTried: Bool
    /// The drift that was reported last; empty when the kernel is right.
    var reportedDrift = Changes()
    /// The error that was reported last; nil when the last attempt was good.
    var reportedError: String?
    /// What is wrong and stays so until it is corrected, by what it is about.
    var warnings: [Subject: [String]] = [:]
    /// Who wrote last, as the kernel's audit tells, and when.
    var lastWriter: (writer: Event.Writer, time: Time.Instant)?
    /// Whether the kernel's audit is heard.
    var hearsAudit = false
    var hasStopped = false
    var reloads = Repeated<Result<Reconciliation, Problem>>()
    var reconciles = Repeated<Result<Reconciliation, Problem>>()

    enum Subject: Int, Comparable {
        case refusal, lastGood, undoing, kernel
        static func < (left: Subject, right: Subject) -> Bool { left.rawValue < right.rawValue }
    }

    /// A keeper that has done nothing yet.
    ///
    /// - Parameters:
    ///   - configurationPath: the file; `conf.d` is looked for beside it.
    ///   - hasServers: whether `serversTried` will be called, which the service manager is to wait for.
    ///   - executor: runs the keeper; a thread of its own, since commits block it.
    ///   - processorTime: what the calling thread has used so far.
    package init(
        _ store: Store, configurationPath: String, lastGood: LastGood, board: StatusBoard, notifier: ServiceNotifier, log: Logger,
        clock: Time, hasServers: Bool = false, executor: any SerialExecutor,
        processorTime: @escaping @Sendable () -> Duration = threadProcessorTime
    ) {
        areServersTried = !hasServers
        self.store = store
        self.configurationPath = configurationPath
        self.lastGood = lastGood
        self.board = board
        self.notifier = notifier
        self.log = log
        self.clock = clock
        self.executor = executor
        self.processorTime = processorTime
        progress = Watchdog(notifier, clock)
        state = KeeperState(at: clock.now)
        inForce = LoadedConfiguration()
        plan = Planner.plan(for: Configuration())
        (httpListen, httpListenChanges) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// The keeper's own thread.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    // MARK: - What happens

    /// Called once, first: brings the kernel to the file, or to the last good configuration where the file is missing or refused.
    ///
    /// When that fails for a reason that may pass (the lock is taken, another program writes), the keeper goes on all the same, as
    /// `failed`, and tries again.
    /// - Returns: whether the kernel has the rules of the file itself.
    /// - Throws: when there is no configuration to use, or the kernel cannot have such rules at all.
    package func boot() async throws(BootFailure) -> Bool {
        let result: Result<Bool, BootFailure> = await inTurn {
            defer {
                endBoot()
                Memory.giveBack()
            }
            do throws(BootFailure) { return .success(try await bootNow()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Called once, when every server has tried to listen: the service manager may be told that the daemon is ready.
    package func serversTried() {
        areServersTried = true
        announce()
    }

    /// Called when SIGHUP came. Returns at once; however many come before the file is read, it is read once.
    package func hangUp() {
        state.reloadRequested()
        wake()
    }

    /// Called when a client asks to read the file again; waits until that is done.
    package func reload() async -> Result<Reconciliation, Problem> {
        let number = reloads.next
        return await request { keeper in
            if let answer = keeper.reloads.answer(from: number) { return answer }
            return await keeper.reloadNow()
        }
    }

    /// Called when a client asks to compare now, and to repair also where `on-drift` says to report only; waits until that is done.
    package func reconcile() async -> Result<Reconciliation, Problem> {
        let number = reconciles.next
        return await request { keeper in
            if let answer = keeper.reconciles.answer(from: number) { return answer }
            return await keeper.write(.request)
        }
    }

    /// Called when another program may have written: the xtables lock was taken or released, or had to be watched again, or the kernel's
    /// audit tells of a table, with the writer. `isOwn`: it was the keeper that used the lock, as far as can be told.
    package func hint(_ trigger: Trigger, isOwn: Bool = false, writer: Event.Writer? = nil) {
        state.hint(trigger, isOwn: isOwn, at: clock.now)
        if let writer { lastWriter = (writer, clock.now) }
        wake()
    }

    /// The same, called on the keeper's own thread.
    package nonisolated func hintHere(_ trigger: Trigger, isOwn: Bool) {
        assumeIsolated { $0.hint(trigger, isOwn: isOwn) }
    }

    /// Called when the kernel's audit begins to be heard, or is no longer heard.
    package func audit(isHeard: Bool) { hearsAudit = isHeard }

    /// Called again and again once `boot` is done: does one thing that is due.
    ///
    /// - Returns: when the next is due; nil when there will be none.
    package func work() async -> Time.Instant? {
        await inTurn {
            notifier.sendAgain()
            progress.tell()
            switch state.next(at: clock.now) {
            case .boot, .stop: return nil
            case .wait(let due): return progress.interval.map { min(due, clock.now.advanced(by: $0)) } ?? due
            case .reload: _ = await reloadNow()
            case .write(let trigger): _ = await write(trigger)
            case .compare(let trigger): compare(trigger)
            }
            return clock.now
        }
    }

    /// Called from any thread, first, when the daemon is to stop: what waits for the xtables lock gives up.
    package nonisolated func beginStopping() { stopSign.raise() }

    /// Called when the daemon is to stop: what waits for the xtables lock gives up, nothing new begins, and the rules stay or go as
    /// `on-stop` says.
    package func stop() async {
        state.stopRequested()
        stopSign.raise()
        wake()
        await inTurn { await stopNow() }
        httpListenChanges.finish()
    }

    // MARK: - Waiting

    /// Sleeps until the time, or until something happens.
    package func pause(until due: Time.Instant) async {
        guard !isWoken else {
            isWoken = false
            return
        }
        let clock = clock
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await clock.sleep(until: due, tolerance: .zero)
                await self.wake()
            }
            await withCheckedContinuation { sleeper = $0 }
            group.cancelAll()
        }
        isWoken = false
    }

    private var isWoken = false
    private var sleeper: CheckedContinuation<Void, Never>?

    private func wake() {
        isWoken = true
        sleeper?.resume()
        sleeper = nil
    }

    // MARK: - One thing at a time

    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var waitingForBoot: [CheckedContinuation<Void, Never>] = []

    /// Runs the body when everything that was asked for before is done: an actor alone would begin the next thing while this one
    /// waits for the xtables lock.
    private func inTurn<Result>(_ body: () async -> Result) async -> Result {
        if isBusy { await withCheckedContinuation { waiting.append($0) } } else { isBusy = true }
        defer { if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() } }
        return await body()
    }

    /// Runs what a client has asked for, in its turn, after the boot.
    private func request(
        _ body: (isolated Keeper) async -> Result<Reconciliation, Problem>
    ) async -> Result<Reconciliation, Problem> {
        if state.life == .starting { await withCheckedContinuation { waitingForBoot.append($0) } }
        return await inTurn {
            guard state.life == .running else { return .failure(.stopping) }
            defer { wake() }
            return await body(self)
        }
    }

    private func endBoot() {
        for continuation in waitingForBoot { continuation.resume() }
        waitingForBoot = []
    }
}

/// What may be asked for while it is being done: who asks gets the answer of the next run that begins after that, and all who ask
/// before it begins get the same.
struct Repeated<Answer: Sendable>: Sendable {
    private var begun: UInt64 = 0
    private var last: Answer?

    /// The number of the next run.
    var next: UInt64 { begun + 1 }

    /// Called when a run begins.
    mutating func begin() { begun += 1 }

    /// Called when it is done.
    mutating func end(_ answer: Answer) { last = answer }

    /// The answer, if a run of that number or a later one is done.
    func answer(from number: UInt64) -> Answer? { begun >= number ? last : nil }
}

/// The processor time that the calling thread has used.
package func threadProcessorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}
