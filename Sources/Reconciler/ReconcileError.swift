// SPDX-License-Identifier: GPL-2.0-or-later
package import Netfilter

/// Why the kernel does not have the rules it should have.
package struct ReconcileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was reached in spite of the error.
    package enum State: Sendable, Hashable {
        /// Nothing was changed.
        case unchanged
        /// What had been committed was put back.
        case rolledBack
        /// Some tables have the new rules and some the old: putting them back failed too. The causes name the tables.
        case mixed
    }

    /// What the kernel is left with.
    package let state: State
    /// What was the matter, table by table.
    package let causes: [NetfilterError]
    /// How often it was tried.
    package let attempts: Int

    /// An error of these parts.
    package init(_ state: State, causes: [NetfilterError], attempts: Int = 1) {
        (self.state, self.causes, self.attempts) = (state, causes, attempts)
    }

    /// What happened, and what the kernel is left with.
    package var description: String {
        let kernel =
            switch state {
            case .unchanged: "the kernel's rules are unchanged"
            case .rolledBack: "the kernel's rules were put back"
            case .mixed: "the kernel's tables are partly changed"
            }
        let tries = attempts > 1 ? " (after \(attempts) attempts)" : ""
        return causes.map(\.message).joined(separator: "; ") + "\(tries); \(kernel)"
    }

    /// Whether the same fails until the system or the configuration is changed.
    package var isPermanent: Bool { causes.contains { $0.code.isPermanent } }

    /// Whether another attempt at once may succeed: another program wrote at the same time, or memory was short.
    var isWorthAnotherAttempt: Bool {
        causes.allSatisfy { cause in
            switch cause.code {
            case .changedMeanwhile, .refused, .outOfMemory: true
            default: false
            }
        }
    }
}
