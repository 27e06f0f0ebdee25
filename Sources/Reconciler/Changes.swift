// SPDX-License-Identifier: GPL-2.0-or-later
import Netfilter
import Rules

/// Changes in order. Thousands of them cost little until somebody looks: rules that follow one another in a chain are kept as one
/// run, and each change is made when it is asked for.
package struct Changes: RandomAccessCollection, Sendable {
    /// Changes of one kind, of rules that follow one another in one chain; or the change of a chain.
    private struct Run {
        let first: Change
        let count: Int
        /// How much higher each rule's number is than that of the one before it.
        let step: Int
        /// How many changes there are before this run.
        let start: Int
    }

    private var runs: [Run] = []

    /// No change.
    package init() {}

    /// The number of the first change: 0.
    package var startIndex: Int { 0 }

    /// How many changes there are.
    package var endIndex: Int { runs.last.map { $0.start + $0.count } ?? 0 }

    /// The change of that number.
    package subscript(position: Int) -> Change {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].start + runs[middle].count <= position { low = middle + 1 } else { high = middle }
        }
        let run = runs[low]
        return run.first.followed(by: position - run.start, step: run.step)
    }

    /// Adds one change.
    mutating func append(_ change: Change) {
        runs.append(Run(first: change, count: 1, step: 0, start: endIndex))
    }

    /// Adds the change, and the same of all rules after it in its list.
    ///
    /// - Parameter step: 1 where each gets the number after the one before, 0 where all have the same number.
    mutating func append(allFrom first: Change, step: Int) {
        guard first.ruleCount > 0 else { return }
        runs.append(Run(first: first, count: first.ruleCount, step: step, start: endIndex))
    }

    static func += (left: inout Changes, right: Changes) {
        let count = left.count
        left.runs += right.runs.map { Run(first: $0.first, count: $0.count, step: $0.step, start: $0.start + count) }
    }
}

extension Changes: Hashable {
    /// Whether both are the same changes in the same order.
    package static func == (left: Changes, right: Changes) -> Bool { left.elementsEqual(right) }

    /// The hash of the changes, in order.
    package func hash(into hasher: inout Hasher) {
        for change in self { hasher.combine(change) }
    }
}

extension Changes: ExpressibleByArrayLiteral {
    /// The changes between the brackets.
    package init(arrayLiteral elements: Change...) {
        for change in elements { append(change) }
    }
}
