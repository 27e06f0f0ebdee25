/// How repairs follow one another when somebody undoes them: at once as long as that is rare, else with growing pauses.
///
/// A repair counts as undone when the next drift is found within `window` of it, or within twice the pause that was made
/// before it. After `patience` such repairs in a row pauses begin.
struct Contention<Instant: InstantProtocol> where Instant.Duration == Duration {
    /// How many repairs in a row are made at once.
    static var patience: Int { 3 }
    /// Drift within this time of a repair is that repair undone.
    static var window: Duration { .seconds(10) }
    /// The first pause; each further one is twice as long.
    static var firstPause: Duration { .seconds(1) }
    /// The longest pause.
    static var longestPause: Duration { .seconds(60) }

    private var lastRepair: Instant?
    /// How many repairs in a row were undone.
    private(set) var undone = 0

    /// The pause that is due before the next repair.
    var pause: Duration {
        guard undone >= Self.patience else { return .zero }
        return min(Self.firstPause * (1 << min(undone - Self.patience, 16)), Self.longestPause)
    }

    /// Whether repairs are made with pauses at present.
    var isContended: Bool { undone >= Self.patience }

    /// Notes drift, and tells when its repair is due.
    mutating func drift(at now: Instant) -> Instant {
        guard let lastRepair, lastRepair.duration(to: now) <= max(Self.window, pause * 2) else {
            undone = 0
            return now
        }
        undone += 1
        return max(now, lastRepair.advanced(by: pause))
    }

    /// Notes that drift was mended.
    mutating func repaired(at now: Instant) { lastRepair = now }

    /// Notes that the kernel was found right.
    ///
    /// - Returns: whether contention is over with that.
    mutating func calm(at now: Instant) -> Bool {
        guard isContended, let lastRepair, lastRepair.duration(to: now) > max(Self.window, pause * 2) else { return false }
        undone = 0
        return true
    }
}
