// SPDX-License-Identifier: GPL-2.0-or-later
import Synchronization

/// The keeper's own uses of the xtables lock, whose events are no sign of another program.
///
/// Counted and not named: an event does not tell who caused it. One that is not seen soon is forgotten, so that it is not
/// taken for another program's later.
final class LockUses: Sendable {
    /// How long an event of our own may be on its way.
    static var lifetime: Duration { .milliseconds(100) }

    private struct Expected {
        var opened = 0
        var closed = 0
        var since = ContinuousClock.now
    }

    private let expected = Mutex(Expected())

    /// Called when the keeper has opened and closed the lock's file.
    func add() {
        expected.withLock { expected in
            forgetOld(&expected)
            expected.opened += 1
            expected.closed += 1
            expected.since = .now
        }
    }

    /// Whether an event, of opening or of closing, is one of ours; each is asked for once.
    func take(opened: Bool) -> Bool {
        expected.withLock { expected in
            forgetOld(&expected)
            let count = opened ? \Expected.opened : \Expected.closed
            guard expected[keyPath: count] > 0 else { return false }
            expected[keyPath: count] -= 1
            return true
        }
    }

    /// Called when events were lost, or another file is watched from now on.
    func forget() { expected.withLock { $0 = Expected() } }

    private func forgetOld(_ expected: inout Expected) {
        if expected.since.duration(to: .now) > LockUses.lifetime { expected = Expected() }
    }
}
