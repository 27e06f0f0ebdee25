// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import FakeKernel
import Foundation
import Logging
import NIOCore
import NIOPosix
import Netfilter
import Rules
import Synchronization
import Systemd

@testable import Keeper

/// A keeper of a kernel that fails on purpose, on a clock that the test owns, with files of its own.
final class Bench {
    let kernel: FakeKernel
    let clock = ManualClock()
    let directory: URL
    let log = RecordedLog()
    private let notifier: ServiceNotifier
    private(set) var keeper: Keeper<FakeKernel, ManualClock>

    init(
        _ configuration: String, kernel: FakeKernel = FakeKernel([table(nat, [:]), table(mangle, ["PREROUTING": "x"])]),
        notifier: ServiceNotifier = ServiceNotifier(path: nil)
    ) throws {
        self.kernel = kernel
        self.notifier = notifier
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-keeper-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        keeper = Bench.keeper(kernel, clock, directory, notifier, log)
        try write(configuration)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    private static func keeper(
        _ kernel: FakeKernel, _ clock: ManualClock, _ directory: URL, _ notifier: ServiceNotifier, _ log: RecordedLog
    ) -> Keeper<FakeKernel, ManualClock> {
        let path = directory.appendingPathComponent("fwmarkd.yaml").path
        return Keeper(
            kernel, configurationPath: path, lastGood: LastGood(stateDirectory: directory.path + "/state"),
            board: StatusBoard(configurationPath: path, pid: 1), notifier: notifier, log: Logger(label: "test") { _ in log },
            clock: clock, executor: MultiThreadedEventLoopGroup.singleton.next().executor, processorTime: { .zero })
    }

    /// A new daemon on the same kernel and the same files.
    func restart() { keeper = Bench.keeper(kernel, clock, directory, notifier, log) }

    func write(_ configuration: String) throws {
        try Data(configuration.utf8).write(to: directory.appendingPathComponent("fwmarkd.yaml"))
    }

    var stateFile: URL { directory.appendingPathComponent("state/last-good.json") }

    @discardableResult
    func boot() async throws -> Bool { try await keeper.boot() }

    var status: Status { keeper.board.contents.status }
    var metrics: Metrics { keeper.board.contents.metrics }
    var events: [Event.Kind] { keeper.board.events.map(\.event.kind) }
    func event(_ kind: Event.Kind) -> Event? { keeper.board.events.last { $0.event.kind == kind }?.event }

    /// The marks of our rules in the kernel, in order.
    var marks: [UInt32] {
        (kernel.tables[mangle]?[.mark]?.rules ?? []).compactMap { rule in
            guard case .mark(let mark) = rule.rule.target else { return nil }
            return mark.value
        }
    }

    /// Another program, which skips the lock, takes all our marks out.
    func damage() { kernel.with { $0.tables[mangle]?.change(.mark) { $0 = [] } } }

    /// Another program takes the lock and lets go of it, and what follows from that is done.
    func hint(_ trigger: Trigger = .lock, writer: Event.Writer? = nil) async {
        await keeper.hint(trigger, writer: writer)
        await run(for: .milliseconds(300))
    }

    /// Does what is due for so long, as the daemon does.
    func run(for duration: Duration, between: () -> Void = {}) async {
        let end = clock.now.advanced(by: duration)
        while clock.now < end, let due = await keeper.work() {
            if due > clock.now { clock.advance(by: clock.now.duration(to: min(due, end))) }
            between()
        }
    }
}

/// A log that keeps what it is told.
final class RecordedLog: LogHandler {
    private let kept = Mutex<[String]>([])
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var lines: [String] { kept.withLock { $0 } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
    func log(event: LogEvent) { kept.withLock { $0.append("\(event.level): \(event.message)") } }
}

/// A file with one service of the mark.
func web(_ mark: Int, daemon: String = "") -> String {
    """
    daemon: {\(daemon)}
    services:
      - {name: web, mark: \(mark), addresses: [203.0.113.20], tcp: [80]}

    """
}
