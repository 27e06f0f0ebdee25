// SPDX-License-Identifier: GPL-2.0-or-later
/// How far the daemon has come. It goes from one to the next and never back.
enum Life: Sendable, Hashable {
    /// The first reconcile has not been tried yet; nothing else acts.
    case starting
    /// The rules are kept.
    case running
    /// Nothing new begins, except what `on-stop` asks.
    case stopping
}

/// What is known of the kernel's rules while the daemon runs.
enum Phase<Instant: InstantProtocol>: Sendable, Hashable where Instant.Duration == Duration {
    /// They were right at the last comparison.
    case settled
    /// They differ since this time: the repair follows, or `on-drift` says to report only.
    case drifted(since: Instant)
    /// The last attempt failed: how many have in a row, when the next is due, and what it is about.
    case failed(attempt: Int, due: Instant, Attempt)

    /// What failed and is tried again.
    enum Attempt: Sendable, Hashable {
        /// Reading and comparing. It never becomes writing by being tried again.
        case comparing
        /// Bringing the kernel to the configuration.
        case writing
    }
}
