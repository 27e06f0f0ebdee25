// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Testing

@testable import Keeper

/// A time of the test's own: milliseconds since the start.
struct Milliseconds: InstantProtocol, ExpressibleByIntegerLiteral {
    var offset: Duration

    init(integerLiteral value: Int) { offset = .milliseconds(value) }
    init(_ offset: Duration) { self.offset = offset }
    func advanced(by duration: Duration) -> Milliseconds { Milliseconds(offset + duration) }
    func duration(to other: Milliseconds) -> Duration { other.offset - offset }
    static func < (left: Milliseconds, right: Milliseconds) -> Bool { left.offset < right.offset }
}

private typealias State = KeeperState<Milliseconds>

// Calls that the macro of `#expect` can write down.
private func next(_ state: inout State, at now: Milliseconds) -> State.Work { state.next(at: now) }
private func drift(_ undoing: inout Undoing<Milliseconds>, at now: Milliseconds) -> Bool { undoing.drift(at: now) }
private func calm(_ undoing: inout Undoing<Milliseconds>, at now: Milliseconds) -> Bool { undoing.calm(at: now) }

/// Running and right since 0 ms, the next comparison due at 1,000 ms.
private func settled(_ settings: State.Settings = State.Settings()) -> State {
    var state = State(at: 0)
    state.settings = settings
    state.wrote(.boot, changed: true, at: 0)
    return state
}

@Suite("What the keeper does next")
struct KeeperStateTests {
    @Test("Until the first reconcile has been tried nothing else is done, whatever happens meanwhile")
    func starting() {
        var state = State(at: 0)
        #expect(next(&state, at: 0) == .boot && state.shown == .starting)
        state.hint(.lock, at: 1)
        state.reloadRequested()
        #expect(next(&state, at: 5000) == .boot && state.shown == .starting)
        state.wrote(.boot, changed: true, at: 5000)
        #expect(state.shown == .inSync)
        #expect(next(&state, at: 5000) == .reload, "what was asked for meanwhile follows")
        #expect(next(&state, at: 5000) == .compare(.lock), "so does the hint")
    }

    @Test("A boot that fails for a reason that may pass leads to running, and is tried again")
    func failedBoot() {
        var state = State(at: 0)
        state.writingFailed(isBusy: false, at: 10)
        #expect(state.life == .running && state.shown == .failed && state.nextAttempt == 1010)
        #expect(next(&state, at: 10) == .wait(until: 1010))
        #expect(next(&state, at: 1010) == .write(.retry))
    }

    @Test("Once stopping has begun nothing else is done")
    func stopping() {
        var state = settled()
        state.hint(.lock, at: 1)
        state.reloadRequested()
        state.stopRequested()
        #expect(next(&state, at: 1) == .stop)
        #expect(next(&state, at: 100_000) == .stop)
        state.wrote(.request, changed: true, at: 100_001)
        #expect(state.life == .stopping)
    }

    @Test("Two thousand requests to reload are one reload")
    func coalesced() {
        var state = settled()
        for _ in 0..<2000 { state.reloadRequested() }
        #expect(next(&state, at: 1) == .reload)
        #expect(next(&state, at: 1) == .wait(until: 1000))
    }

    @Test("A storm of signals is paced: reloading takes no more processor time than repairing may")
    func pacedReloads() {
        var state = settled()
        state.spent(.milliseconds(120), at: 0)
        state.reloadRequested()
        #expect(next(&state, at: 0) == .wait(until: 500))
        #expect(next(&state, at: 500) == .reload)
        #expect(next(&state, at: 500) == .wait(until: 1000))
    }

    @Test(
        "A writer is left alone until it has been quiet for 25 ms, 250 ms at most",
        arguments: [
            ([100], 125), ([100, 110, 120], 145), ([100, 124], 149), (Array(stride(from: 100, to: 1000, by: 20)), 350),
        ] as [([Int], Int)])
    func quiet(_ hints: [Int], _ due: Int) {
        var state = settled()
        for hint in hints { state.hint(.lock, at: Milliseconds(.milliseconds(hint))) }
        let due = Milliseconds(.milliseconds(due))
        #expect(next(&state, at: 100) == .wait(until: due))
        #expect(next(&state, at: due) == .compare(.lock))
        #expect(next(&state, at: due) == .wait(until: 1000), "the hint has been taken")
    }

    @Test("A comparison that is due by itself waits for a writer to be quiet")
    func checkDuringScript() {
        var state = settled()
        state.hint(.lock, at: 995)
        #expect(next(&state, at: 1000) == .wait(until: 1020))
        #expect(next(&state, at: 1020) == .compare(.lock))
    }

    @Test(
        "Without a hint it is compared every check-interval, stretched to 1 % of a core, a minute at most",
        arguments: [(0, 1000), (1, 1000), (10, 1000), (20, 2000), (300, 30_000), (5000, 60_000)])
    func interval(_ cost: Int, _ expected: Int) {
        var state = settled()
        #expect(next(&state, at: 1000) == .compare(.check))
        _ = state.foundRight(cost: .milliseconds(cost), at: 1000)
        #expect(next(&state, at: 1000) == .wait(until: Milliseconds(.milliseconds(1000 + expected))))
    }

    @Test(
        "Drift is repaired at once where it is to be, and only compared again where it is to be reported", arguments: [true, false])
    func drift(_ repairs: Bool) {
        var state = settled(State.Settings(repairs: repairs))
        _ = state.foundDrift(.lock, cost: .zero, at: 500)
        #expect(state.shown == .drifted && state.phase == .drifted(since: 500))
        #expect(next(&state, at: 500) == (repairs ? .write(.lock) : .wait(until: 1500)))
        guard !repairs else { return }
        _ = state.foundDrift(.check, cost: .zero, at: 1500)
        #expect(state.phase == .drifted(since: 500), "since the first")
    }

    @Test("A comparison that failed is compared again and never written, whatever on-drift says")
    func failedComparison() {
        for repairs in [true, false] {
            var state = settled(State.Settings(repairs: repairs))
            state.comparisonFailed(cost: .zero, at: 100)
            #expect(state.shown == .failed && next(&state, at: 100) == .wait(until: 1100))
            #expect(next(&state, at: 1100) == .compare(.retry))
            state.comparisonFailed(cost: .zero, at: 1100)
            #expect(next(&state, at: 1100) == .wait(until: 3100))
        }
    }

    @Test(
        "Failed attempts are made again after 1, 2, 4 … 64 s, after waiting for the lock always after 1 s",
        arguments: zip([1, 2, 3, 6, 7, 8, 100, 1000, Int.max], [1, 2, 4, 32, 64, 64, 64, 64, 64]))
    func pauses(_ attempts: Int, _ seconds: Int) {
        #expect(State.pause(after: attempts, isBusy: false) == .seconds(seconds))
        #expect(State.pause(after: attempts, isBusy: true) == .seconds(1))
    }

    @Test("A hint does not shorten the pause after a failure: our own attempt gives one too")
    func hintAfterFailure() {
        var state = settled()
        for _ in 0..<3 { state.writingFailed(isBusy: false, at: 0) }
        state.hint(.lock, at: 10)
        #expect(next(&state, at: 10) == .wait(until: 4000))
    }

    @Test("A refused configuration leaves the one before guarded: it is compared at once")
    func refused() {
        var state = settled()
        state.refused(at: 100)
        #expect(state.shown == .inSync && next(&state, at: 100) == .compare(.check))
    }

    @Test("A reload that may succeed later is tried again with growing pauses, and the one before is guarded meanwhile")
    func putOff() {
        var state = settled()
        state.reloadFailed(isBusy: false, at: 0)
        #expect(next(&state, at: 0) == .compare(.check))
        _ = state.foundRight(cost: .zero, at: 0)
        #expect(state.nextAttempt == 1000)
        _ = state.foundRight(cost: .zero, at: 500)
        #expect(next(&state, at: 1000) == .reload)
        state.reloadFailed(isBusy: false, at: 1000)
        #expect(state.nextAttempt == 3000)
        state.tookForce(isFallback: false)
        #expect(state.nextAttempt == nil)
    }

    @Test("The last good configuration in force is shown as degraded, and as in sync once the file is")
    func fallback() {
        var state = State(at: 0)
        state.tookForce(isFallback: true)
        state.wrote(.boot, changed: true, at: 0)
        #expect(state.shown == .degraded)
        state.tookForce(isFallback: false)
        #expect(state.shown == .inSync)
    }
}

@Suite("Pauses by cost")
struct PacingTests {
    /// Somebody flushes the table every `period`; what one repair costs. Returns for how much of the time the rules are there, the
    /// longest time without, and the processor time as a share of one core.
    private func flush(every period: Duration, repairCosts cost: Duration, for length: Duration = .seconds(60)) -> (
        inForce: Double, longest: Duration, core: Double
    ) {
        var state = settled()
        var now: Milliseconds = 0
        var (nextFlush, missingSince) = (Milliseconds(period), Milliseconds?.none)
        var (missing, longest, spent) = (Duration.zero, Duration.zero, Duration.zero)
        while now.offset < length {
            if nextFlush <= now {
                if missingSince == nil { missingSince = nextFlush }
                state.hint(.lock, at: nextFlush)
                nextFlush = nextFlush.advanced(by: period)
            }
            switch next(&state, at: now) {
            case .compare(let trigger):
                now = now.advanced(by: cost / 3)
                (spent, _) = (spent + cost / 3, state.spent(cost / 3, at: now))
                if missingSince == nil {
                    _ = state.foundRight(cost: cost / 3, at: now)
                } else {
                    _ = state.foundDrift(trigger, cost: cost / 3, at: now)
                }
            case .write(let trigger):
                now = now.advanced(by: cost)
                (spent, _) = (spent + cost, state.spent(cost, at: now))
                state.wrote(trigger, changed: true, at: now)
                state.hint(.lock, at: now)
                if let since = missingSince {
                    missing += since.duration(to: now)
                    longest = max(longest, since.duration(to: now))
                    missingSince = nil
                }
            case .wait(let until): now = min(until, nextFlush)
            case .boot, .reload, .stop: Issue.record("not asked for")
            }
        }
        return (1 - missing / length, longest, spent / length)
    }

    @Test(
        "A flush every 5 s, 9 s, 50 ms: the rules are in force nearly all of the time, for at most 5 % of a core",
        arguments: [(5000, 2, 0.99), (9000, 2, 0.99), (50, 1, 0.40), (5000, 30, 0.98), (300, 10, 0.45)])
    func availability(_ period: Int, _ cost: Int, _ least: Double) {
        let (inForce, longest, core) = flush(every: .milliseconds(period), repairCosts: .milliseconds(cost))
        #expect(inForce >= least, "\(inForce)")
        #expect(longest < .milliseconds(1100), "\(longest)")
        #expect(core <= 0.05, "\(core)")
    }

    @Test("Whatever was spent before, a repair waits a second at most")
    func bounded() {
        var budget = Budget<Milliseconds>(at: 0)
        for _ in 0..<100 { budget.spend(.seconds(5), at: 0) }
        #expect(budget.opening(at: 0) == 1000)
        #expect(budget.opening(at: 999) == 1000)
        #expect(budget.opening(at: 1000) == 1000)
    }

    @Test("Any ten seconds have 5 % of a core")
    func share() {
        var budget = Budget<Milliseconds>(at: 0)
        var (now, spent) = (Milliseconds(0), Duration.zero)
        while now.offset < .seconds(10) {
            now = budget.opening(at: now).advanced(by: .milliseconds(1))
            budget.spend(.milliseconds(1), at: now)
            spent += .milliseconds(1)
        }
        #expect(spent <= .milliseconds(502) && spent >= .milliseconds(490), "\(spent)")
    }

    @Test("A clock that goes back neither gives nor takes processor time")
    func clockBack() {
        var budget = Budget<Milliseconds>(at: 1000)
        budget.spend(.milliseconds(120), at: 1000)
        let opening = budget.opening(at: 1000)
        budget.spend(.zero, at: 10)
        #expect(budget.opening(at: 1000) == opening)
    }
}

@Suite("Repairs that are undone")
struct UndoingTests {
    @Test("Three in a row within ten seconds each are reported, and ten quiet seconds end that")
    func reported() {
        var undoing = Undoing<Milliseconds>()
        #expect(!drift(&undoing, at: 0))
        for time in [0, 9000, 18_000] as [Milliseconds] {
            undoing.repaired(at: time)
            #expect(drift(&undoing, at: time.advanced(by: .seconds(9))))
        }
        #expect(undoing.isReported && undoing.count == 3)
        undoing.repaired(at: 27_000)
        #expect(!calm(&undoing, at: 37_000))
        #expect(calm(&undoing, at: 37_001) && undoing.count == 0)
        #expect(!calm(&undoing, at: 50_000))
    }

    @Test("Drift that comes seldom is no repair undone")
    func seldom() {
        var undoing = Undoing<Milliseconds>()
        for time in stride(from: 0, to: 100_000, by: 10_001) {
            #expect(!drift(&undoing, at: Milliseconds(.milliseconds(time))))
            undoing.repaired(at: Milliseconds(.milliseconds(time)))
        }
        #expect(undoing.count == 0)
    }
}
