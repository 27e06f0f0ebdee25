// SPDX-License-Identifier: GPL-2.0-or-later
package import FoundationEssentials

/// What a comparison found and did.
package struct ReconcileStatus: Codable, Sendable, Hashable {
    /// What made the daemon compare.
    package var trigger: Trigger
    /// When it was done.
    package var time: Date
    /// How long it took, waiting for the xtables lock included.
    package var milliseconds: Double
    /// How many changes were found; made, unless it failed or `on-drift` is `report`.
    package var changes: Int
    /// How often it was tried.
    package var attempts: Int
    /// Why it failed; absent if it did not.
    package var error: String?

    /// A status of these parts.
    package init(trigger: Trigger, time: Date, milliseconds: Double, changes: Int, attempts: Int, error: String? = nil) {
        self.trigger = trigger
        self.time = time
        self.milliseconds = milliseconds
        self.changes = changes
        self.attempts = attempts
        self.error = error
    }
}
