// SPDX-License-Identifier: GPL-2.0-or-later
/// A rule that a packet meets and matches, or may match.
package struct ExplainedStep: Codable, Sendable, Hashable {
    /// What the rule does to a packet that matches.
    package enum Effect: String, Codable, Sendable, Hashable, CaseIterable {
        /// It leads into the chain in `into`, and the packet comes back to the next rule.
        case jump
        /// It leads into the chain in `into`, and the packet does not come back to this chain.
        case goto
        /// It leads back to the calling chain.
        case `return`
        /// It sets the mark, or bits of it.
        case mark
        /// It translates the source address.
        case translate
        /// It translates the destination address.
        case redirect
        /// It ends the table for this packet.
        case accept
        /// It drops the packet.
        case drop
        /// It changes neither mark nor source nor where the packet goes next.
        case nothing
        /// What it does is not known.
        case unknown
    }

    /// The hook, in netfilter's words: `PREROUTING`.
    package var hook: String
    /// The table.
    package var table: String
    /// The chain.
    package var chain: String
    /// The rule's number in the chain, counted from 1; 0: the chain's policy.
    package var number: Int
    /// The rule as iptables writes it, without `-A` and the chain.
    package var rule: String
    /// Whether the packet certainly matches; false: it depends on what is not known.
    package var matches: Bool
    /// What the rule does to a packet that matches.
    package var effect: Effect
    /// The chain that `jump` and `goto` lead to.
    package var into: String?
    /// The packet's mark after the rule; absent where it is not known.
    package var markAfter: UInt32?
    /// The service or translation whose rule it is; absent for a rule that only leads on, and for other programs' rules.
    package var owner: String?
    /// The owner's place in the configuration: `file:line:column`.
    package var position: String?
    /// Whether it is another program's rule.
    package var isForeign: Bool
    /// Why it is not known whether it matches or what it does.
    package var reason: String?

    /// A step of these parts.
    package init(
        hook: String, table: String, chain: String, number: Int, rule: String, matches: Bool = true, effect: Effect,
        into: String? = nil, markAfter: UInt32? = nil, owner: String? = nil, position: String? = nil, isForeign: Bool = false,
        reason: String? = nil
    ) {
        self.hook = hook
        self.table = table
        self.chain = chain
        self.number = number
        self.rule = rule
        self.matches = matches
        self.effect = effect
        self.into = into
        self.markAfter = markAfter
        self.owner = owner
        self.position = position
        self.isForeign = isForeign
        self.reason = reason
    }
}
