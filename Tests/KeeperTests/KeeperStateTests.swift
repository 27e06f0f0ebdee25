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

typealias State = KeeperState<Milliseconds>

// Calls that the macro of `#expect` can write down.
func next(_ state: inout State, at now: Milliseconds) -> State.Work { state.next(at: now) }

/// Running and right since 0 ms, the next comparison due at 1,000 ms.
func settled(_ settings: State.Settings = State.Settings()) -> State {
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

    @Test("The example at the head of KeeperState: a script deletes a rule")
    func example() {
        var state = settled()
        state.hint(.lock, at: 0)
        #expect(next(&state, at: 0) == .wait(until: 25))
        state.hint(.lock, at: 4)
        #expect(next(&state, at: 4) == .wait(until: 29))
        #expect(next(&state, at: 29) == .compare(.lock))
        _ = state.foundDrift(.lock, cost: .zero, at: 30)
        #expect(next(&state, at: 30) == .write(.lock))
        state.wrote(.lock, changed: true, at: 32)
        #expect(next(&state, at: 32) == .wait(until: 1032))
        state.hint(.lock, isOwn: true, at: 33)
        #expect(next(&state, at: 33) == .wait(until: 283))
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
        // A reload that a client asked for reads the file as well.
        state.reloadRequested()
        state.reloadBegun()
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

    @Test("The keeper's own use of the lock is followed by a comparison in 250 ms, and puts off no other")
    func ownUse() {
        var state = settled()
        state.hint(.lock, isOwn: true, at: 100)
        state.hint(.lock, isOwn: true, at: 101)
        #expect(next(&state, at: 101) == .wait(until: 350))
        #expect(next(&state, at: 350) == .compare(.lock))
        // Another program's sign takes its place, and the keeper's own is no reason to wait for that one longer.
        state.hint(.lock, isOwn: true, at: 400)
        state.hint(.audit, at: 410)
        state.hint(.lock, isOwn: true, at: 430)
        #expect(next(&state, at: 430) == .wait(until: 435))
        #expect(next(&state, at: 435) == .compare(.audit))
        // What is due by itself does not wait for it.
        state.hint(.lock, isOwn: true, at: 900)
        #expect(next(&state, at: 900) == .wait(until: 1000))
        #expect(next(&state, at: 1000) == .compare(.lock))
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
