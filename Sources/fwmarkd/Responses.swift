// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import Explanations
import Keeper
import NIOCore
import Netfilter
import Netlink
import Rules
import Synchronization
import SystemCalls

/// What the servers send, made of the keeper's board and the kernel's tables, neither of which waits for the keeper.
final class Responses: Sendable {
    private let keeper: KernelKeeper
    private let tables: KernelTables
    /// How much of what was sent is not read yet.
    let unread: UnreadBodies

    /// A body is sent again for so long, if nothing has happened meanwhile: a thousand clients who ask at once cost one reading
    /// of the kernel, and the memory of one body.
    private static let lifetime = Duration.milliseconds(200)
    /// How many different bodies are kept.
    private static let keptLimit = 16

    private struct Kept {
        var revision: UInt64
        var time: ContinuousClock.Instant
        var body: SharedBody
    }

    private let kept = Mutex<[String: Kept]>([:])
    private let status = Mutex<(revision: UInt64, time: ContinuousClock.Instant, status: Status)?>(nil)

    init(keeper: KernelKeeper, tables: KernelTables, unread: UnreadBodies) {
        (self.keeper, self.tables, self.unread) = (keeper, tables, unread)
    }

    /// The state as the keeper last reported it, and its events.
    var board: StatusBoard { keeper.board }

    /// Reads the file again.
    func reload() async -> Result<Reconciliation, Problem> { await keeper.reload() }

    /// Compares and repairs.
    func reconcile() async -> Result<Reconciliation, Problem> { await keeper.reconcile() }

    /// The status as JSON, or the part of it that is asked for.
    func status(_ query: StatusQuery) throws -> SharedBody {
        try kept("\(Endpoint.status) \(query)") { contents in
            let status = query.part(of: try self.filledStatus(contents))
            return SharedBody(ByteBuffer(bytes: JSON.encode(status)), "application/json")
        }
    }

    /// What happens to a packet, as JSON.
    func explain(_ question: PacketQuestion) throws -> SharedBody {
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
        return SharedBody(ByteBuffer(bytes: JSON.encode(explanation)), "application/json")
    }

    /// Our rules in the kernel, as JSON.
    func rules() throws -> SharedBody {
        try kept(Endpoint.rules) { _ in
            SharedBody(ByteBuffer(bytes: JSON.encode(RuleList(try self.snapshots()))), "application/json")
        }
    }

    /// The metrics as Prometheus text.
    func metrics() throws -> SharedBody {
        try kept(Endpoint.metrics) { contents in
            let text = PrometheusText(try self.filledStatus(contents), contents.metrics, ProcessUse.own()).text
            return SharedBody(ByteBuffer(string: text), PrometheusText.mediaType)
        }
    }

    private func kept(_ name: String, _ make: (StatusBoard.Contents) throws -> SharedBody) throws -> SharedBody {
        // Made under the lock: who asks meanwhile waits for this body in place of making another.
        try kept.withLock { kept in
            let contents = keeper.board.contents
            if let last = kept[name], last.revision == contents.revision, last.time.duration(to: .now) < Self.lifetime {
                return last.body
            }
            let body = try make(contents)
            if kept.count >= Self.keptLimit { kept.removeAll() }
            kept[name] = Kept(revision: contents.revision, time: .now, body: body)
            return body
        }
    }

    /// The whole status; kept for as long as a body, since several bodies are made of it.
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

    private static func virtualServices(_ configuration: Configuration) -> Result<[VirtualService]?, SystemError> {
        let marks = Set(configuration.allServices.map(\.mark.value))
        return Result { () throws(SystemError) in try VirtualService.readAll { $0.mark.map(marks.contains) ?? false } }
    }

    private func snapshots() throws -> [TableSnapshot] { try TableID.ours.compactMap { try tables.snapshot($0) } }
}
