// SPDX-License-Identifier: GPL-2.0-or-later
import Synchronization

/// Whether the daemon is to stop, for those who wait in the middle of something.
final class StopSign: Sendable {
    private let isRaised = Atomic(false)

    var isStopping: Bool { isRaised.load(ordering: .acquiring) }
    func raise() { isRaised.store(true, ordering: .releasing) }
}

/// A clock on which no sleep goes on once the daemon is to stop: waiting for the xtables lock, and pausing between two attempts, end
/// with that. What sleeps is alive, which `onSleep` may tell.
struct StoppableClock<Base: Clock>: Clock where Base.Duration == Duration {
    typealias Instant = Base.Instant

    let base: Base
    let stop: StopSign
    let onSleep: @Sendable () -> Void

    var now: Instant { base.now }
    var minimumResolution: Duration { base.minimumResolution }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        if stop.isStopping { throw CancellationError() }
        onSleep()
        try await base.sleep(until: deadline, tolerance: tolerance)
        if stop.isStopping { throw CancellationError() }
    }
}
