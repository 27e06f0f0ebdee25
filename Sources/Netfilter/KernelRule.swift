// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A rule as it is in the kernel.
package struct KernelRule: Sendable, Hashable {
    /// What the rule says; two rules are the same if this is equal.
    package struct Content: Sendable, Hashable {
        /// What it says, as far as it is known.
        package var rule: Rule
        /// The entry, where encoding `rule` does not give the same one: parts in another order, a second comment, a name that is not
        /// UTF-8. Counters, `comefrom` and what is after the NUL of names are zeros, and a jump's target has the chain's name in place
        /// of its offset, as libiptc takes it: equal entries are equal bytes. nil: encoding `rule` gives the entry.
        package let entry: [UInt8]?

        /// What the rule says.
        package init(_ rule: Rule) { self.init(rule, entry: nil) }

        init(_ rule: Rule, entry: [UInt8]?) {
            (self.rule, self.entry) = (rule, entry)
        }

        /// The chain that the rule leads to.
        package var chain: ChainName? { rule.target.chain }

        /// The rule's comment.
        package var comment: String? { rule.comment }
    }

    /// What it says.
    package var content: Content
    /// What it has seen.
    package var counters: Counters

    /// What it says, as far as it is known.
    package var rule: Rule { content.rule }

    /// A rule that says this and has seen so much.
    package init(_ content: Content, counters: Counters = Counters()) {
        (self.content, self.counters) = (content, counters)
    }

    /// A rule that has seen so much.
    package init(_ rule: Rule, counters: Counters = Counters()) { self.init(Content(rule), counters: counters) }
}

extension KernelRule.Content: CustomStringConvertible {
    /// The rule in iptables syntax; parts without words are named in brackets.
    package var description: String { rule.iptablesSyntax }
}

extension KernelRule {
    /// Whether the rule, in a chain of a hook, is a jump of ours: it leads into one of our entry chains and asks for nothing.
    package var isOurJump: Bool {
        guard content.entry == nil, case .jump(let chain) = rule.target, chain.isOurs else { return false }
        return rule == Ruleset.jump(into: chain) && Table.entryChains.contains(chain)
    }
}
