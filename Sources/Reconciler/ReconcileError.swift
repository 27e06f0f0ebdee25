package import Netfilter
package import Rules

/// Why the kernel does not have the rules it should have.
package struct ReconcileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was reached in spite of the error.
    package enum State: Sendable, Hashable {
        /// Nothing was changed.
        case unchanged
        /// What had been committed was put back.
        case rolledBack
        /// Some tables hold the new rules and some the old: putting them back failed too. The causes name the tables.
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
        self.state = state
        self.causes = causes
        self.attempts = attempts
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

    /// Whether another attempt may succeed: somebody else wrote at the same time, or memory was short.
    var isWorthRetrying: Bool {
        causes.allSatisfy { cause in
            switch cause.code {
            case .changedMeanwhile, .refused, .outOfMemory: true
            default: false
            }
        }
    }
}

/// What a reconciliation found and did.
package struct Outcome: Sendable, Hashable {
    /// What differed, in the order of tables; empty if nothing did.
    package var changes: [Change] = []
    /// What cannot be mended, and what the kernel said to commits that are in force all the same.
    package var warnings: [String] = []
    /// How often it was tried: 1 if at once.
    package var attempts = 1
    /// How long it waited for the xtables lock, all attempts together.
    package var lockWait = Duration.zero
    /// The tables as they stand at the end, as far as they exist.
    package var tables: [TableID: TableSnapshot] = [:]

    /// Nothing found, nothing done.
    package init() {}
}
