// SPDX-License-Identifier: GPL-2.0-or-later
/// A rule of a chain: what it asks of a packet and what it does with it.
package struct Rule: Sendable, Hashable {
    /// What it asks of a packet.
    package var match: RuleMatch
    /// Its comment (`-m comment`); of several the first.
    package var comment: String?
    /// What it does.
    package var target: Target

    /// A rule of these parts.
    package init(_ match: RuleMatch = RuleMatch(), comment: String? = nil, target: Target) {
        (self.match, self.comment, self.target) = (match, comment, target)
    }
}
