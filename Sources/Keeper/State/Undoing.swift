// SPDX-License-Identifier: GPL-2.0-or-later
/// Whether another program undoes repairs again and again. It is reported, and changes nothing about the repairs.
struct Undoing<Instant: InstantProtocol>: Sendable, Hashable where Instant.Duration == Duration {
    /// Drift within this time of a repair is that repair undone.
    static var window: Duration { .seconds(10) }
    /// After that many in a row it is reported.
    static var limit: Int { 3 }

    private var lastRepair: Instant?
    /// How many repairs in a row were undone.
    private(set) var count = 0

    /// Whether it is reported now.
    var isReported: Bool { count >= Undoing.limit }

    /// Called when drift is found.
    ///
    /// - Returns: whether that is a repair undone.
    mutating func drift(at now: Instant) -> Bool {
        guard let lastRepair, lastRepair.duration(to: now) <= Undoing.window else {
            count = 0
            return false
        }
        count += 1
        return true
    }

    /// Called when drift was repaired.
    mutating func repaired(at now: Instant) { lastRepair = now }

    /// Called when the kernel was found right.
    ///
    /// - Returns: whether what was reported is over with that.
    mutating func calm(at now: Instant) -> Bool {
        guard let lastRepair, lastRepair.duration(to: now) > Undoing.window else { return false }
        defer { count = 0 }
        return isReported
    }
}
