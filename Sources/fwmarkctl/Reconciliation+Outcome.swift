// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Reconciler

extension Reconciliation {
    /// What came of a comparison with the kernel, with the first `limit` changes told: where thousands are made, the words
    /// would take longer than the changes.
    init(_ outcome: Outcome, took duration: Duration, sha256: String, limit: Int = .max) {
        let (seconds, attoseconds) = duration.components
        self.init(
            changes: ChangeMessage.all(outcome.changes.prefix(limit)), changeCount: outcome.changes.count,
            warnings: outcome.warnings, milliseconds: Double(seconds) * 1e3 + Double(attoseconds / 1_000_000_000) / 1e6,
            sha256: sha256)
    }
}
