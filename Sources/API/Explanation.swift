// SPDX-License-Identifier: GPL-2.0-or-later
/// What happens to one packet: the answer to `GET /v1/explain`, and what `fwmarkctl explain --json` prints.
package struct Explanation: Codable, Sendable, Hashable {
    /// Which rules the answer is about.
    package enum View: String, Codable, Sendable, Hashable, CaseIterable {
        /// The rules that the configuration asks for, and no others.
        case configuration
        /// The rules in the kernel: the whole hook, other programs' rules included.
        case kernel
    }

    /// Which rules the answer is about.
    package var view: View
    /// The packet that was asked about.
    package var packet: ExplainedPacket
    /// The packet's mark at the end.
    package var mark: MarkOutcome
    /// What happens to its source address.
    package var source: SourceOutcome
    /// The rules that the packet matches or may match, in the order in which it meets them.
    package var steps: [ExplainedStep]
    /// What else the reader has to know, a sentence each.
    package var notes: [String]

    /// An explanation of these parts.
    package init(
        view: View, packet: ExplainedPacket, mark: MarkOutcome, source: SourceOutcome, steps: [ExplainedStep] = [],
        notes: [String] = []
    ) {
        (self.view, self.packet, self.mark, self.source, self.steps, self.notes) = (view, packet, mark, source, steps, notes)
    }
}
