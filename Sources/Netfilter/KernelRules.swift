// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Glibc
package import Rules

/// Rules in order: those in the kernel, of which each is decoded when it is looked at, or those that are wanted.
package struct KernelRules: RandomAccessCollection, Sendable {
    private enum Storage: Sendable {
        case entries(TableImage, Range<Int>)
        case rules([Rule])
        case values([KernelRule])
    }

    private let storage: Storage

    /// These rules, which have seen nothing yet.
    package init(_ rules: [Rule]) { storage = .rules(rules) }

    /// These rules with their counters.
    package init(_ rules: [KernelRule]) { storage = .values(rules) }

    /// The rules in the entries of these numbers.
    init(_ image: TableImage, _ entries: Range<Int>) { storage = .entries(image, entries) }

    /// The number of the first rule: 0.
    package var startIndex: Int { 0 }

    /// How many rules there are.
    package var endIndex: Int {
        switch storage {
        case .entries(_, let entries): entries.count
        case .rules(let rules): rules.count
        case .values(let rules): rules.count
        }
    }

    /// The rule of that number, counted from 0.
    package subscript(index: Int) -> KernelRule {
        switch storage {
        case .entries(let image, let entries): image.rule(entries.lowerBound + index)
        case .rules(let rules): KernelRule(rules[index])
        case .values(let rules): rules[index]
        }
    }

    /// What the rule of that number has seen.
    package func counters(of index: Int) -> Counters {
        switch storage {
        case .entries(let image, let entries): image.counters(entries.lowerBound + index)
        case .rules: Counters()
        case .values(let rules): rules[index].counters
        }
    }

    /// The numbers of the rules that lead into a chain of ours, matching or not.
    package var leadingIntoOurChains: [Int] {
        guard case .entries(let image, let entries) = storage else {
            return indices.filter { self[$0].content.chain?.isOurs == true }
        }
        return entries.filter { image.target(of: $0)?.isOurs == true }.map { $0 - entries.lowerBound }
    }

    /// The chains that rules lead to.
    package var targets: [ChainName] {
        guard case .rules(let rules) = storage else { return compactMap(\.content.chain) }
        return rules.compactMap { $0.target.chain }
    }

    /// How many rules at the beginning, and how many of the rest at the end, say the same in both lists; counters do not matter.
    ///
    /// Wanted rules are compared with standing ones by the bytes that they would have. Where bytes differ the rules may still say
    /// the same; then the decoded rules decide.
    package func commonEnds(with wanted: KernelRules) -> (head: Int, tail: Int) {
        guard case .entries(let image, let entries) = storage, case .rules(let rules) = wanted.storage, !entries.isEmpty else {
            return commonEnds(with: wanted) { self[$0].content == wanted[$1].content }
        }
        var encoder = EntryEncoder(image)
        return image.bytes.withUnsafeBytes { bytes in
            rules.withUnsafeBufferPointer { rules in
                commonEnds(with: wanted) { left, right in
                    let number = entries.lowerBound + left
                    return encoder.isEqual(rules[right], bytes, image.offsets[number], image.offsets[number + 1])
                        || self[left].content == KernelRule.Content(rules[right])
                }
            }
        }
    }

    private func commonEnds(with wanted: KernelRules, _ isEqual: (Int, Int) -> Bool) -> (head: Int, tail: Int) {
        let (count, wantedCount) = (count, wanted.count)
        let shorter = Swift.min(count, wantedCount)
        var head = 0
        while head < shorter, isEqual(head, head) { head += 1 }
        var tail = 0
        while tail < shorter - head, isEqual(count - 1 - tail, wantedCount - 1 - tail) { tail += 1 }
        return (head, tail)
    }

    /// Calls `body` with the entry of each rule in order, until it returns false.
    ///
    /// - Returns: whether it came to the end.
    func withEntries(_ encoder: inout EntryEncoder, _ body: (UnsafeRawBufferPointer) -> Bool) throws(NetfilterError) -> Bool {
        guard case .rules(let rules) = storage else {
            for rule in self where !(try encoder.withEntry(rule, body)) { return false }
            return true
        }
        for index in rules.indices where !(try encoder.withEntry(rules[index], body)) { return false }
        return true
    }
}

extension KernelRules: Hashable {
    /// Whether the lists have the same rules with the same counters.
    package static func == (left: KernelRules, right: KernelRules) -> Bool { left.elementsEqual(right) }

    /// The hash of the rules, in order.
    package func hash(into hasher: inout Hasher) {
        for rule in self { hasher.combine(rule) }
    }
}

extension KernelRules: ExpressibleByArrayLiteral {
    /// The rules between the brackets.
    package init(arrayLiteral elements: KernelRule...) { self.init(elements) }
}
