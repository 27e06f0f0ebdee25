// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// How the daemon behaves: the `daemon:` section.
package struct DaemonSettings: Sendable, Hashable {
    /// What to do about drift: a difference between kernel and file that no reload caused.
    package enum OnDrift: String, Sendable, Hashable, CaseIterable { case repair, report }
    /// What to do with our rules when the daemon is stopped.
    package enum OnStop: String, Sendable, Hashable, CaseIterable { case keep, remove }

    /// `on-drift`
    package var onDrift = OnDrift.repair
    /// `on-stop`
    package var onStop = OnStop.keep
    /// `hook-position`
    package var hookPosition = HookPosition.first
    /// `check-interval`: how soon drift is found that the lock file gives no hint of.
    package var checkInterval = Duration.seconds(1)
    /// `lock-timeout`: how long to wait for the xtables lock.
    package var lockTimeout = Duration.seconds(10)
    /// `http-listen`: where the page, the reading API and metrics are served over TCP; nil: nowhere.
    package var httpListen: ListenAddress?

    /// The defaults.
    package init() {}
}
