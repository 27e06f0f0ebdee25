// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// What is known, or the rule because of which it is not.
package enum Known<Value: Sendable & Hashable>: Sendable, Hashable {
    /// It is this.
    case known(Value)
    /// It depends on something that is not known: whether the packet matches this rule, or what this rule's target does.
    case unknown(because: Judgement.Step)

    /// The value, if it is known.
    package var value: Value? {
        guard case .known(let value) = self else { return nil }
        return value
    }

    /// The rule because of which it is not known.
    package var doubt: Judgement.Step? {
        guard case .unknown(let step) = self else { return nil }
        return step
    }
}

/// What becomes of a packet.
package struct Judgement: Sendable, Hashable {
    /// A rule that the packet matched.
    package struct Step: Sendable, Hashable {
        /// The table.
        package let table: Table
        /// The chain.
        package let chain: ChainName
        /// The rule's number in the chain, counted from 1 as iptables does; 0: the chain's policy.
        package let number: Int
        /// The rule.
        package let rule: Rule

        /// The rule of that number.
        package init(_ table: Table, _ chain: ChainName, _ number: Int, _ rule: Rule) {
            (self.table, self.chain, self.number, self.rule) = (table, chain, number, rule)
        }
    }

    /// What becomes of the packet's source address.
    package enum Translation: Sendable, Hashable {
        /// It stays.
        case none
        /// It becomes an address of the outgoing interface.
        case masquerade(TranslationOptions)
        /// It becomes one of these.
        case source(SourceRange)
    }

    /// The packet's mark after the hook.
    package var mark: Known<UInt32>
    /// Its connection's mark after the hook.
    package var connectionMark: Known<UInt32>
    /// What becomes of its source.
    package var translation: Known<Translation>
    /// The destination that it has after the hook, and the port; nil: not known.
    package var destination: Address?, destinationPort: UInt16?
    /// Whether rules have translated the destination; nil: not known.
    package var isDestinationTranslated: Bool?
    /// The connection tracking helper that its connection is given; empty: none.
    package var helper: Known<String>
    /// Whether it passes the hook.
    package var verdict: Known<Verdict>
    /// The rules that it matched, in the order in which it met them, jumps included. Where some rules are in doubt, those of one
    /// possible way.
    package var steps: [Step]
    /// The rule that set the mark's last change, the one that decided the translation, and the one that decided the verdict.
    package var markStep, translationStep, verdictStep: Step?
}
