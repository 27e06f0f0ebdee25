// SPDX-License-Identifier: GPL-2.0-or-later
import API

/// What the keeper knows and what follows from it: life, phase, and what is due when. Events and times go in, the next work comes
/// out; nothing here reads a clock, a file or a table.
///
/// Example: the rules are in force, and a script deletes one of them.
///
///     0 ms     hint(.lock)             the lock was taken            next: wait until 25 ms
///     4 ms     hint(.lock)             and released                    next: wait until 29 ms
///     29 ms                            quiet for 25 ms               next: compare(.lock)
///     30 ms    foundDrift(.lock)       settled → drifted             next: write(.lock)
///     32 ms    wrote(.lock, changed)   drifted → settled             next: wait until 1032 ms, for the comparison by check-interval
///     33 ms    hint(.lock, isOwn)      by our own commit             next: wait until 283 ms
struct KeeperState<Instant: InstantProtocol>: Sendable where Instant.Duration == Duration {
    /// What the configuration in force says about it.
    struct Settings: Sendable, Hashable {
        /// How soon drift is found without a hint.
        var checkInterval = Duration.seconds(1)
        /// Whether drift is repaired, not only reported.
        var repairs = true
    }

    /// What is to be done next.
    enum Work: Sendable, Hashable {
        /// Bring the kernel to the file, or to the last good configuration.
        case boot
        /// Read the file again and bring the kernel to it.
        case reload
        /// Bring the kernel to the configuration in force.
        case write(Trigger)
        /// Compare without writing.
        case compare(Trigger)
        /// Stop, as `on-stop` says.
        case stop
        /// Nothing before this time.
        case wait(until: Instant)
    }

    private(set) var life = Life.starting
    private(set) var phase = Phase<Instant>.settled
    private(set) var undoing = Undoing<Instant>()
    /// Whether the last good configuration is in force in place of the file's.
    private(set) var isFallback = false
    var settings = Settings()

    private var budget: Budget<Instant>
    private var hint: Hint<Instant>?
    /// When the next full comparison is due that nothing asks for.
    private var checkDue: Instant
    /// What made the comparison that found the drift.
    private var driftTrigger = Trigger.check
    private var reloadIsWanted = false
    /// A reload that could not be made but may be later: how often it was tried, and when it is due again.
    private var putOff: (attempts: Int, due: Instant)?

    init(at now: Instant) {
        budget = Budget(at: now)
        checkDue = now
    }

    /// What `status` reports.
    var shown: Status.State {
        switch (life, phase) {
        case (.starting, _): .starting
        case (_, .settled): isFallback ? .degraded : .inSync
        case (_, .drifted): .drifted
        case (_, .failed): .failed
        }
    }

    /// When a failed attempt is made again.
    var nextAttempt: Instant? {
        if case .failed(_, let due, _) = phase { return due }
        return putOff?.due
    }

    // MARK: - What happens

    /// Called when another program may have written, or begins to. `isOwn`: it was the keeper itself, as far as can be told.
    mutating func hint(_ trigger: Trigger, isOwn: Bool = false, at now: Instant) {
        if hint == nil { hint = Hint(trigger, isOwn: isOwn, at: now) } else { hint?.add(trigger, isOwn: isOwn, at: now) }
    }

    /// Called when a signal asks to read the file again. However often that is asked before it is done, it is done once; a storm of
    /// signals is paced by what reloading costs.
    mutating func reloadRequested() { reloadIsWanted = true }

    /// Called when a reload begins, for any caller: what is asked for from now on is another one.
    mutating func reloadBegun() { reloadIsWanted = false }

    /// Called when the daemon is to stop. Nothing else begins after that.
    mutating func stopRequested() { life = .stopping }

    /// Called when something of that work has cost processor time.
    mutating func spent(_ cost: Duration, at now: Instant) { budget.spend(cost, at: now) }

    /// Called when a comparison has found the kernel right.
    ///
    /// - Returns: whether a program that undid repairs has stopped with that.
    mutating func foundRight(cost: Duration, at now: Instant) -> Bool {
        compared(cost, now)
        phase = .settled
        return undoing.calm(at: now)
    }

    /// Called when a comparison has found the kernel different.
    ///
    /// - Returns: whether a repair was undone with that.
    mutating func foundDrift(_ trigger: Trigger, cost: Duration, at now: Instant) -> Bool {
        compared(cost, now)
        if case .drifted = phase {} else { phase = .drifted(since: now) }
        driftTrigger = trigger
        return settings.repairs && undoing.drift(at: now)
    }

    /// Called when the tables could not be read for a comparison.
    mutating func comparisonFailed(cost: Duration, at now: Instant) {
        compared(cost, now)
        if case .failed(_, _, .writing) = phase {
            failed(.writing, isBusy: false, now)
        } else {
            failed(.comparing, isBusy: false, now)
        }
    }

    /// Called when the kernel has the rules of the configuration in force, after writing or because nothing differed.
    mutating func wrote(_ trigger: Trigger, changed: Bool, at now: Instant) {
        if life == .starting { life = .running }
        phase = .settled
        checkDue = now.advanced(by: settings.checkInterval)
        switch trigger {
        case .boot, .reload, .request: break
        case .check, .lock, .audit, .retry: if changed { undoing.repaired(at: now) }
        }
    }

    /// Called when writing failed for a reason that may pass. `isBusy`: another program had the lock all the time.
    mutating func writingFailed(isBusy: Bool, at now: Instant) {
        if life == .starting { life = .running }
        failed(.writing, isBusy: isBusy, now)
    }

    /// Called when a new configuration has taken force, or the last good one in place of it.
    mutating func tookForce(isFallback: Bool) {
        self.isFallback = isFallback
        putOff = nil
    }

    /// Called when a new configuration is refused, by the file's rules or by the kernel: the one before stays, and is compared at once.
    mutating func refused(at now: Instant) {
        putOff = nil
        checkDue = min(checkDue, now)
    }

    /// Called when a new configuration could not be written for a reason that may pass: the one before stays, and it is tried again.
    mutating func reloadFailed(isBusy: Bool, at now: Instant) {
        let attempts = (putOff?.attempts ?? 0) + 1
        putOff = (attempts, now.advanced(by: KeeperState.pause(after: attempts, isBusy: isBusy)))
        checkDue = min(checkDue, now)
    }

    // MARK: - What follows

    /// What is to be done at this time. Called when the work before is done, and whenever something has happened.
    mutating func next(at now: Instant) -> Work {
        switch life {
        case .starting: return .boot
        case .stopping: return .stop
        case .running: break
        }
        if reloadIsWanted, budget.opening(at: now) <= now {
            reloadIsWanted = false
            return .reload
        }
        // Found by a comparison that has waited for its turn already.
        if case .drifted = phase, settings.repairs { return .write(driftTrigger) }
        let (work, due) = nextDue
        // What waits for processor time waits no longer than a second from now.
        let opening = max(reloadIsWanted ? now : due, budget.opening(at: now))
        guard opening <= now else { return .wait(until: opening) }
        if case .compare = work { hint = nil }
        return work
    }

    /// What is due first, and when.
    private var nextDue: (Work, Instant) {
        var (work, due) = (Work.compare(hint?.trigger ?? .check), hint?.due ?? checkDue)
        // Another program is left alone until it is quiet; the keeper itself is no reason to wait.
        if let hint, hint.isOwn { due = min(due, checkDue) }
        if case .failed(_, let retry, let attempt) = phase {
            (work, due) = (attempt == .comparing ? .compare(.retry) : .write(.retry), retry)
        }
        if let putOff, putOff.due < due { (work, due) = (.reload, putOff.due) }
        return (work, due)
    }

    private mutating func compared(_ cost: Duration, _ now: Instant) {
        checkDue = now.advanced(by: max(settings.checkInterval, min(cost * 100, KeeperState.longestCheckInterval)))
    }

    private mutating func failed(_ attempt: Phase<Instant>.Attempt, isBusy: Bool, _ now: Instant) {
        var count = 1
        if case .failed(let before, _, _) = phase { count = min(before + 1, 1000) }
        phase = .failed(attempt: count, due: now.advanced(by: KeeperState.pause(after: count, isBusy: isBusy)), attempt)
    }

    /// Comparing takes at most 1 % of a core, but drift is found within this time whatever it costs.
    static var longestCheckInterval: Duration { .seconds(60) }

    /// How long to wait after that many failed attempts: 1 s, 2 s, 4 s … 64 s. After waiting for the lock without success always 1 s, since
    /// the attempt itself waits.
    static func pause(after attempts: Int, isBusy: Bool) -> Duration {
        isBusy ? .seconds(1) : .seconds(1 << min(max(attempts, 1) - 1, 6))
    }
}
