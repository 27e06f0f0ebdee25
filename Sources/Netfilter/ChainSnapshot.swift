// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A chain as it is in the kernel.
package struct ChainSnapshot: Sendable, Hashable {
    /// What becomes of packets that reach the end of a built-in chain.
    package struct Policy: Sendable, Hashable {
        /// What becomes of them.
        package let verdict: Verdict
        /// What has reached the end.
        package let counters: Counters

        /// A policy of this verdict and these counters.
        package init(verdict: Verdict, counters: Counters = Counters()) {
            (self.verdict, self.counters) = (verdict, counters)
        }
    }

    /// Its name.
    package let name: ChainName
    /// Its policy; nil for a chain that is not built in.
    package let policy: Policy?
    /// Its rules in order.
    package let rules: KernelRules

    /// A chain of these parts; without a policy one that is not built in.
    package init(name: ChainName, policy: Policy?, rules: [KernelRule]) {
        self.init(name: name, policy: policy, rules: KernelRules(rules))
    }

    init(name: ChainName, policy: Policy?, rules: KernelRules) {
        (self.name, self.policy, self.rules) = (name, policy, rules)
    }

    /// Whether the chain is the kernel's own.
    package var isBuiltIn: Bool { policy != nil }

    /// The chain as far as its rules are known, without counters.
    package var chain: Chain { Chain(name, policy: policy?.verdict, rules.map(\.rule)) }
}
