import API
import Keeper
import NIOCore
import Netfilter
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

    init(keeper: Keeper<Store, Time>, tables: KernelTables, unread: UnreadAnswers) {
        self.keeper = keeper
        self.tables = tables
        self.unread = unread
    }

    var board: StatusBoard { keeper.board }
    func reload() async -> Result<Reconciliation, Problem> { await keeper.reload() }
    func reconcile() async -> Result<Reconciliation, Problem> { await keeper.reconcile() }

    func status() throws -> Answer {
        try answer(Endpoint.status) { Answer(ByteBuffer(bytes: JSON.encode(try self.filledStatus($0))), "application/json") }
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

    private func filledStatus(_ contents: StatusBoard.Contents) throws -> Status {
        contents.status.filled(contents.loaded.configuration, contents.plan.owners, try snapshots())
    }

    private func snapshots() throws -> [TableSnapshot] { try TableID.ours.compactMap { try tables.snapshot($0) } }
}

/// What the servers ask.
protocol AnswerSource: Sendable {
    /// What the keeper tells, and its events.
    var board: StatusBoard { get }
    /// How much of the answers is not read yet.
    var unread: UnreadAnswers { get }
    /// The status as JSON.
    func status() throws -> Answer
    /// Our rules in the kernel as JSON.
    func rules() throws -> Answer
    /// The metrics as Prometheus text.
    func metrics() throws -> Answer
    /// Reads the file again.
    func reload() async -> Result<Reconciliation, Problem>
    /// Compares and repairs.
    func reconcile() async -> Result<Reconciliation, Problem>
}
