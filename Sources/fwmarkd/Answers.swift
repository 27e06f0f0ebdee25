import API
import FoundationEssentials
import Glibc
import Keeper
import NIOCore
import Netfilter
import Planner
import Reconciler
import Rules
import Synchronization

/// What the servers ask.
protocol AnswerSource: Sendable {
    /// The status as JSON.
    func status() throws -> ByteBuffer
    /// Our rules in the kernel as JSON.
    func rules() throws -> ByteBuffer
    /// The metrics as Prometheus text.
    func metrics() throws -> ByteBuffer
    /// The events that are kept, and those that follow.
    func follow() -> (past: [Event], following: AsyncStream<Event>)
    /// The events that are kept.
    var events: [Event] { get }
    /// Reads the file again.
    func reload() async -> Result<Reconciliation, Problem>
    /// Compares and mends.
    func reconcile() async -> Result<Reconciliation, Problem>
}

/// Answers from the keeper's board and from the kernel's tables, none of which waits for the keeper.
final class Answers<Store: RuleStore, Time: Clock>: AnswerSource where Time.Duration == Duration {
    private let keeper: Keeper<Store, Time>
    private let tables: KernelTables

    /// An answer is given again for so long, if nothing has happened meanwhile: a thousand clients who ask at once cost one reading
    /// of the kernel, and the memory of one answer.
    private static var lifetime: Duration { .milliseconds(200) }

    private struct Kept {
        var revision: UInt64
        var time: ContinuousClock.Instant
        var answer: ByteBuffer
    }

    private let kept = Mutex<[String: Kept]>([:])
    private let owners = Mutex<(digest: String, owners: RuleOwners)?>(nil)

    init(keeper: Keeper<Store, Time>, tables: KernelTables) {
        self.keeper = keeper
        self.tables = tables
    }

    func status() throws -> ByteBuffer {
        try answer(Endpoint.status) { ByteBuffer(bytes: JSON.encode(try self.filledStatus($0))) }
    }

    func rules() throws -> ByteBuffer {
        try answer(Endpoint.rules) { _ in ByteBuffer(bytes: JSON.encode(RuleList(try self.snapshots()))) }
    }

    func metrics() throws -> ByteBuffer {
        try answer(Endpoint.metrics) { contents in
            ByteBuffer(string: PrometheusText(try self.filledStatus(contents), contents.metrics, ProcessUse.own()).text)
        }
    }

    func follow() -> (past: [Event], following: AsyncStream<Event>) { keeper.board.follow() }
    var events: [Event] { keeper.board.events }
    func reload() async -> Result<Reconciliation, Problem> { await keeper.reload() }
    func reconcile() async -> Result<Reconciliation, Problem> { await keeper.reconcile() }

    private func answer(_ name: String, _ make: (StatusBoard.Contents) throws -> ByteBuffer) throws -> ByteBuffer {
        // Made under the lock: who asks meanwhile waits for this answer in place of making another.
        try kept.withLock { kept in
            let contents = keeper.board.contents
            if let last = kept[name], last.revision == contents.revision, last.time.duration(to: .now) < Self.lifetime {
                return last.answer
            }
            let answer = try make(contents)
            kept[name] = Kept(revision: contents.revision, time: .now, answer: answer)
            return answer
        }
    }

    private func filledStatus(_ contents: StatusBoard.Contents) throws -> Status {
        contents.status.filled(contents.configuration, owners(contents), try snapshots())
    }

    /// Whose the rules are; found out once for each configuration, since that takes as long as planning it.
    private func owners(_ contents: StatusBoard.Contents) -> RuleOwners {
        let digest = contents.status.configuration.sha256
        return owners.withLock { kept in
            if let kept, kept.digest == digest { return kept.owners }
            let owners = RuleOwners(of: contents.configuration)
            kept = (digest, owners)
            return owners
        }
    }

    private func snapshots() throws -> [TableSnapshot] { try TableID.allCases.compactMap { try tables.snapshot($0) } }
}

extension ProcessUse {
    /// What this process uses; nil where /proc is not mounted.
    static func own() -> ProcessUse? {
        guard let statm = fopen("/proc/self/statm", "re") else { return nil }
        defer { fclose(statm) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, CInt(line.count), statm) != nil else { return nil }
        // statm: size resident shared …, in pages (proc(5)).
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { UInt64($0) } ?? 0
        var openFiles = 0
        if let directory = opendir("/proc/self/fd") {
            // Without `.`, `..` and the directory's own descriptor.
            while readdir(directory) != nil { openFiles += 1 }
            closedir(directory)
            openFiles -= 3
        }
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return ProcessUse(
            residentBytes: pages * UInt64(sysconf(CInt(_SC_PAGESIZE))), openFiles: openFiles,
            cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }
}
