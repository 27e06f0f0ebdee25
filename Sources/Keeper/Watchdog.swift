// SPDX-License-Identifier: GPL-2.0-or-later
import Synchronization
import Systemd

/// Tells the service manager that the keeper makes progress, four times in each interval of its watchdog.
final class Watchdog<Time: Clock>: Sendable where Time.Duration == Duration {
    private let notifier: ServiceNotifier
    private let clock: Time
    private let next: Mutex<Time.Instant>

    init(_ notifier: ServiceNotifier, _ clock: Time) {
        self.notifier = notifier
        self.clock = clock
        next = Mutex(clock.now)
    }

    /// How often it is told; nil where it is not wanted.
    var interval: Duration? { notifier.watchdogInterval.map { $0 / 4 } }

    /// Tells it if it is time. Called whenever the keeper has done something, and while it waits for the xtables lock.
    func tell() {
        guard let interval else { return }
        let isDue = next.withLock { next in
            guard next <= clock.now else { return false }
            next = clock.now.advanced(by: interval)
            return true
        }
        if isDue { notifier.send(.watchdog) }
    }
}
