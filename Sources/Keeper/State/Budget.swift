// SPDX-License-Identifier: GPL-2.0-or-later
/// How much processor time comparing and repairing may take: at most 5 % of one core averaged over ten seconds, where single
/// repairs are cheap. What is due waits while more was spent, and never longer than a second.
///
/// A bucket of processor time: it fills with `share` of the time that passes and holds `capacity`, so that any ten seconds have
/// 100 ms + 4 % · 10 s = 500 ms.
struct Budget<Instant: InstantProtocol>: Sendable, Hashable where Instant.Duration == Duration {
    /// What flows in, as a share of one core.
    static var share: Double { 0.04 }
    /// What may be spent at once after a quiet time.
    static var capacity: Duration { .milliseconds(100) }
    /// The longest that anything waits.
    static var longestWait: Duration { .seconds(1) }

    private var level = Budget.capacity
    private var time: Instant

    init(at now: Instant) { time = now }

    /// Takes out what was spent until now.
    mutating func spend(_ cost: Duration, at now: Instant) {
        // The floor bounds the wait: a repair that costs more than a second's share is made all the same.
        level = max(filled(at: now) - cost, Budget.longestWait * -Budget.share)
        time = max(time, now)
    }

    /// The earliest time at which something may begin.
    func opening(at now: Instant) -> Instant {
        let level = filled(at: now)
        return level >= .zero ? now : now.advanced(by: level / -Budget.share)
    }

    private func filled(at now: Instant) -> Duration {
        min(Budget.capacity, level + max(.zero, time.duration(to: now)) * Budget.share)
    }
}
