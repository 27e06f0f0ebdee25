// SPDX-License-Identifier: GPL-2.0-or-later
/// What is done to a table, or would have to be done: in changes, events and metrics.
package enum ChangeKind: String, Codable, Sendable, Hashable, CaseIterable {
    /// The rule is missing at its place and is put in.
    case add
    /// The rule should not be at its place and is taken out.
    case remove
    /// The chain is missing and is made.
    case addChain = "add-chain"
    /// The chain should not be there and is taken away.
    case removeChain = "remove-chain"
}
