// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// What the daemon counts beside its status; a value that only grows, but for the state of the last reload.
package struct Metrics: Sendable, Hashable {
    /// How a comparison can end.
    package enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// Nothing differed.
        case unchanged
        /// Something differed and was repaired, or only reported where `on-drift` says so.
        case changed
        /// The kernel could not be brought to the configuration.
        case failed
    }

    /// What made the daemon compare, and how that ended.
    package struct Kind: Sendable, Hashable {
        /// What made it compare.
        package var trigger: Trigger
        /// How it ended.
        package var outcome: Outcome
    }

    /// Comparisons by what made them and how they ended.
    package private(set) var reconciles: [Kind: UInt64] = [:]
    /// How long comparisons took, in seconds.
    package private(set) var durations = Histogram(bounds: [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ])
    /// How long they waited for the xtables lock, in seconds.
    package private(set) var lockWaits = Histogram(bounds: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30])
    /// Differences found that no reload caused, by kind (`add`: a rule was missing).
    package private(set) var drift: [ChangeKind: UInt64] = [:]
    /// How often such differences were repaired.
    package private(set) var repairs: UInt64 = 0
    /// How often another program held the xtables lock for longer than `lock-timeout`.
    package private(set) var lockTimeouts: UInt64 = 0
    /// How often the file was read again and refused.
    package private(set) var refusedReloads: UInt64 = 0
    /// Whether the file was valid when it was last read.
    package private(set) var isLastReloadGood = true
    /// How often another program undid a repair within ten seconds.
    package private(set) var undoneRepairs: UInt64 = 0
    /// Whether another program undoes repairs again and again at present.
    package var isContended = false
    /// Lines of the log that were dropped because nothing read it.
    package var droppedLogLines: UInt64 = 0
    /// Followers of events that were cut off because they read too slowly.
    package var droppedFollowers: UInt64 = 0
    /// Requests that were refused because there were too many clients or unread answers.
    package var refusedRequests: UInt64 = 0

    /// Nothing counted yet.
    package init() {}

    /// Counts a comparison.
    package mutating func count(_ trigger: Trigger, _ outcome: Outcome, seconds: Double, lockSeconds: Double?) {
        reconciles[Kind(trigger: trigger, outcome: outcome), default: 0] += 1
        durations.add(seconds)
        if let lockSeconds { lockWaits.add(lockSeconds) }
    }

    /// Counts differences that no reload caused.
    package mutating func countDrift(_ kinds: some Sequence<ChangeKind>) {
        for kind in kinds { drift[kind, default: 0] += 1 }
    }

    /// Counts a repair.
    package mutating func countRepair() { repairs += 1 }

    /// Counts a wait for the xtables lock that came to nothing.
    package mutating func countLockTimeout() { lockTimeouts += 1 }

    /// Counts a repair that was undone.
    package mutating func countUndone() { undoneRepairs += 1 }

    /// Notes how reading the file ended.
    package mutating func noteReload(isGood: Bool) {
        isLastReloadGood = isGood
        if !isGood { refusedReloads += 1 }
    }
}

/// Observations sorted into buckets, as Prometheus' histograms are.
package struct Histogram: Sendable, Hashable {
    /// The upper bounds of the buckets, rising; one without a bound follows.
    package let bounds: [Double]
    /// How many observations are not above each bound (and above the one before it).
    package private(set) var counts: [UInt64]
    /// The sum of all observations.
    package private(set) var sum = 0.0

    /// An empty histogram with these bounds.
    package init(bounds: [Double]) {
        self.bounds = bounds
        self.counts = [UInt64](repeating: 0, count: bounds.count + 1)
    }

    /// Sorts an observation in.
    package mutating func add(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }
}

/// What the process itself uses, as client libraries for Prometheus name it.
package struct ProcessUse: Sendable, Hashable {
    /// Resident memory, in bytes.
    package var residentBytes: UInt64
    /// Open file descriptors.
    package var openFiles: Int
    /// Processor time in seconds, user and system.
    package var cpuSeconds: Double

    /// A use of these numbers.
    package init(residentBytes: UInt64, openFiles: Int, cpuSeconds: Double) {
        (self.residentBytes, self.openFiles, self.cpuSeconds) = (residentBytes, openFiles, cpuSeconds)
    }
}
