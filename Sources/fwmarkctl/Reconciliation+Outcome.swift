// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import Netfilter
import Planner
import Reconciler
import Rules
import SystemCalls

extension Reconciliation {
    /// What came of the body, which compares the kernel with the ruleset of the file. Says `what` on the terminal where it takes long.
    ///
    /// - Parameter hasDigest: whether the configuration's digest is in it.
    static func of(
        _ options: GlobalOptions, _ what: String, limit: Int = .max, hasDigest: Bool,
        _ body: (Reconciler<KernelTables>, Ruleset) async throws -> Outcome
    ) async throws -> (Reconciliation, LoadedConfiguration) {
        let start = ContinuousClock.now
        return try await ProgressLine.during(what) {
            let loaded = try options.load()
            do {
                let ruleset = Planner.plan(for: loaded.configuration).ruleset
                let outcome = try await body(Reconciler(loaded.configuration.daemon), ruleset)
                Memory.leave((ruleset, outcome, loaded))
                let result = Reconciliation(
                    outcome, took: ContinuousClock.now - start, sha256: hasDigest ? loaded.sha256 : "", limit: limit)
                return (result, loaded)
            } catch {
                throw Failure("\(error)")
            }
        }
    }

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
