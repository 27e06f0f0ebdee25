// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Keeper

/// What the servers ask.
protocol AnswerSource: Sendable {
    /// What the keeper tells, and its events.
    var board: StatusBoard { get }
    /// How much of the answers is not read yet.
    var unread: UnreadAnswers { get }
    /// The status as JSON, or the part of it that is asked for.
    func status(_ query: StatusQuery) throws -> Answer
    /// Our rules in the kernel as JSON.
    func rules() throws -> Answer
    /// What happens to a packet, as JSON.
    func explain(_ question: PacketQuestion) throws -> Answer
    /// The metrics as Prometheus text.
    func metrics() throws -> Answer
    /// Reads the file again.
    func reload() async -> Result<Reconciliation, Problem>
    /// Compares and repairs.
    func reconcile() async -> Result<Reconciliation, Problem>
}
