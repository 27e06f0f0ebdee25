// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// One change of a table. Numbers of rules count from 0 and hold at the moment at which the change is made.
package enum TableEdit: Sendable, Hashable {
    /// Makes an empty chain.
    case createChain(ChainName)
    /// Puts a rule at the end of a chain, with its counters.
    case append(ChainName, KernelRule)
    /// Puts rules at the end of a chain, with their counters.
    case appendAll(ChainName, KernelRules)
    /// Puts a rule before the one of that number, with its counters.
    case insert(ChainName, Int, KernelRule)
    /// Takes the rule of that number out.
    case delete(ChainName, Int)
    /// Takes the rule of that number out of a chain that is not ours, if it says this; refused otherwise. A program that skips the
    /// lock may have changed the chain since the number was found.
    case deleteForeign(ChainName, Int, KernelRule.Content)
    /// Takes all rules out of a chain.
    case flush(ChainName)
    /// Takes away an empty chain that nothing leads to.
    case deleteChain(ChainName)
}

extension TableEdit {
    /// The chain that it changes.
    package var chain: ChainName {
        switch self {
        case .createChain(let chain), .append(let chain, _), .appendAll(let chain, _), .insert(let chain, _, _),
            .delete(let chain, _),
            .deleteForeign(let chain, _, _), .flush(let chain), .deleteChain(let chain):
            chain
        }
    }
}

/// An edit that could not be made, and why.
package struct LeftOutEdit: Error, Sendable, Hashable {
    /// What was to be done.
    package let edit: TableEdit
    /// Why it was not.
    package let reason: NetfilterError

    /// An edit that could not be made for this reason.
    package init(_ edit: TableEdit, _ reason: NetfilterError) {
        (self.edit, self.reason) = (edit, reason)
    }
}

extension TableEdit: CustomStringConvertible {
    /// The change as options of iptables, whose rule numbers count from 1.
    package var description: String {
        switch self {
        case .createChain(let chain): "-N \(chain)"
        case .append(let chain, let rule): "-A \(chain) \(rule.content)"
        case .appendAll(let chain, let rules): "-A \(chain) (\(rules.count) rules)"
        case .insert(let chain, let index, let rule): "-I \(chain) \(index + 1) \(rule.content)"
        case .delete(let chain, let index), .deleteForeign(let chain, let index, _):
            "-D \(chain) \(index + 1)"
        case .flush(let chain): "-F \(chain)"
        case .deleteChain(let chain): "-X \(chain)"
        }
    }
}
