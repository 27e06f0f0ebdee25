// SPDX-License-Identifier: GPL-2.0-or-later
/// The mark of a packet after all rules, as far as it can be determined.
package struct MarkOutcome: Codable, Sendable, Hashable {
    /// How much is known.
    package enum Verdict: String, Codable, Sendable, Hashable, CaseIterable {
        /// The packet has the mark in `value`.
        case marked
        /// The packet has no mark.
        case unmarked
        /// The packet is dropped; no mark matters.
        case dropped
        /// It depends on something that is not known; `reason` says on what.
        case unknown
    }

    /// How much is known.
    package var verdict: Verdict
    /// The mark; present with `marked` alone.
    package var value: UInt32?
    /// The service whose rule set it; absent where another program's rule did, or none.
    package var service: String?
    /// Why, where that is not plain from the rules: what is not known, or which program's rule decides.
    package var reason: String?

    /// An outcome of these parts.
    package init(_ verdict: Verdict, value: UInt32? = nil, service: String? = nil, reason: String? = nil) {
        (self.verdict, self.value, self.service, self.reason) = (verdict, value, service, reason)
    }
}
