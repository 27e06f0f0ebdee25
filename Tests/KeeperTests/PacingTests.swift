// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Testing

@testable import Keeper

// Calls that the macro of `#expect` can write down.
private func drift(_ undoing: inout Undoing<Milliseconds>, at now: Milliseconds) -> Bool { undoing.drift(at: now) }
private func calm(_ undoing: inout Undoing<Milliseconds>, at now: Milliseconds) -> Bool { undoing.calm(at: now) }

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
                state.hint(.lock, isOwn: true, at: now)
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

    @Test("Drift that comes seldom does not count as a repair undone")
    func seldom() {
        var undoing = Undoing<Milliseconds>()
        for time in stride(from: 0, to: 100_000, by: 10_001) {
            #expect(!drift(&undoing, at: Milliseconds(.milliseconds(time))))
            undoing.repaired(at: Milliseconds(.milliseconds(time)))
        }
        #expect(undoing.count == 0)
    }
}
