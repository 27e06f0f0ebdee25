// SPDX-License-Identifier: GPL-2.0-or-later
/// What happens to the source address of a packet, as far as it can be determined.
package struct SourceOutcome: Codable, Sendable, Hashable {
    /// How much is known.
    package enum Verdict: String, Codable, Sendable, Hashable, CaseIterable {
        /// The source stays as it is.
        case unchanged
        /// The source becomes the primary address of the interface that the packet leaves by.
        case masquerade
        /// The source becomes what `to` says.
        case translated
        /// The packet is dropped.
        case dropped
        /// It depends on something that is not known; `reason` says on what.
        case unknown
    }

    /// How much is known.
    package var verdict: Verdict
    /// The address or range of addresses that the source becomes; present with `translated` alone.
    package var to: String?
    /// The translation of the configuration whose rule decides; absent where another program's rule does, or none.
    package var translation: String?
    /// Why, where that is not plain from the rules: what is not known, or which program's rule decides.
    package var reason: String?

    /// An outcome of these parts.
    package init(_ verdict: Verdict, to: String? = nil, translation: String? = nil, reason: String? = nil) {
        (self.verdict, self.to, self.translation, self.reason) = (verdict, to, translation, reason)
    }
}
