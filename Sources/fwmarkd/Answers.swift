// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import Explanations
import Keeper
import NIOCore
import Netfilter
import Netlink
import Reconciler
import Rules
import Synchronization

/// What the servers ask, answered from the keeper's board and from the kernel's tables, none of which waits for the keeper.
final class Answers<Store: RuleStore, Time: Clock>: AnswerSource where Time.Duration == Duration {
    private let keeper: Keeper<Store, Time>
    private let tables: KernelTables
    let unread: UnreadAnswers

    /// An answer is given again for so long, if nothing has happened meanwhile: a thousand clients who ask at once cost one reading
    /// of the kernel, and the memory of one answer.
    static var lifetime: Duration { .milliseconds(200) }
    /// How many different answers are kept.
    private static var keptLimit: Int { 16 }

    private struct Kept {
        var revision: UInt64
        var time: ContinuousClock.Instant
        var answer: Answer
    }

    private let kept = Mutex<[String: Kept]>([:])
    private let status = Mutex<(revision: UInt64, time: ContinuousClock.Instant, status: Status)?>(nil)

    init(keeper: Keeper<Store, Time>, tables: KernelTables, unread: UnreadAnswers) {
        (self.keeper, self.tables, self.unread) = (keeper, tables, unread)
    }

    var board: StatusBoard { keeper.board }
    func reload() async -> Result<Reconciliation, Problem> { await keeper.reload() }
    func reconcile() async -> Result<Reconciliation, Problem> { await keeper.reconcile() }

    func status(_ query: StatusQuery) throws -> Answer {
        try answer("\(Endpoint.status) \(query)") { contents in
            let status = query.part(of: try self.filledStatus(contents))
            return Answer(ByteBuffer(bytes: JSON.encode(status)), "application/json")
        }
    }

    func explain(_ question: PacketQuestion) throws -> Answer {
        let contents = board.contents
        let explanation: Explanation
        switch question.view {
        case .configuration: explanation = Explanation(question, contents.loaded, contents.plan)
        case .kernel:
            var rules: [TableID: [Chain]] = [:]
            for id in Table.allCases.map({ TableID(question.source.family, $0) }) {
                rules[id] = try tables.snapshot(id)?.chains.map(\.chain)
            }
            explanation = Explanation(question, kernel: rules, contents.loaded, contents.plan)
        }
        return Answer(ByteBuffer(bytes: JSON.encode(explanation)), "application/json")
    }

    func rules() throws -> Answer {
        try answer(Endpoint.rules) { _ in
            Answer(ByteBuffer(bytes: JSON.encode(RuleList(try self.snapshots()))), "application/json")
        }
    }

    func metrics() throws -> Answer {
        try answer(Endpoint.metrics) { contents in
            let text = PrometheusText(try self.filledStatus(contents), contents.metrics, ProcessUse.own()).text
            return Answer(ByteBuffer(string: text), PrometheusText.mediaType)
        }
    }

    private func answer(_ name: String, _ make: (StatusBoard.Contents) throws -> Answer) throws -> Answer {
        // Made under the lock: who asks meanwhile waits for this answer in place of making another.
        try kept.withLock { kept in
            let contents = keeper.board.contents
            if let last = kept[name], last.revision == contents.revision, last.time.duration(to: .now) < Self.lifetime {
                return last.answer
            }
            let answer = try make(contents)
            if kept.count >= Self.keptLimit { kept.removeAll() }
            kept[name] = Kept(revision: contents.revision, time: .now, answer: answer)
            return answer
        }
    }

    /// The whole status; kept for as long as an answer, since several answers are made of it.
    private func filledStatus(_ contents: StatusBoard.Contents) throws -> Status {
        try status.withLock { kept in
            if let last = kept, last.revision == contents.revision, last.time.duration(to: .now) < Self.lifetime {
                return last.status
            }
            let configuration = contents.loaded.configuration
            var status = contents.status.filled(
                configuration, contents.plan, try snapshots(), Self.virtualServices(configuration))
            status.configuration = status.configuration.compared(
                with: FilesOnDisk(of: status.configuration.path), read: contents.files)
            kept = (contents.revision, .now, status)
            return status
        }
    }

    private static func virtualServices(_ configuration: Configuration) -> VirtualServices {
        let marks = Set(configuration.allServices.map(\.mark.value))
        do {
            return .read(try VirtualService.readAll { $0.mark.map(marks.contains) ?? false })
        } catch {
            return .unknown("\(error)")
        }
    }

    private func snapshots() throws -> [TableSnapshot] { try TableID.ours.compactMap { try tables.snapshot($0) } }
}
