import API
import ConfigurationFile
import FakeKernel
import Foundation
import Logging
import NIOCore
import NIOPosix
import Netfilter
import Rules
import Systemd

@testable import Keeper

/// A keeper of a kernel that fails on purpose, on a clock that the test owns, with files of its own.
final class Bench {
    let kernel: FakeKernel
    let clock = ManualClock()
    let directory: URL
    private(set) var keeper: Keeper<FakeKernel, ManualClock>

    init(_ configuration: String, kernel: FakeKernel = FakeKernel([table(nat, [:]), table(mangle, ["PREROUTING": "x"])])) throws {
        self.kernel = kernel
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-keeper-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        keeper = Bench.keeper(kernel, clock, directory)
        try write(configuration)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    private static func keeper(_ kernel: FakeKernel, _ clock: ManualClock, _ directory: URL) -> Keeper<FakeKernel, ManualClock> {
        let path = directory.appendingPathComponent("fwmarkd.yaml").path
        return Keeper(
            kernel, configurationPath: path, lastGood: LastGood(stateDirectory: directory.path),
            board: StatusBoard(configurationPath: path, pid: 1), notifier: ServiceNotifier(path: nil, watchdogInterval: nil),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: clock,
            executor: MultiThreadedEventLoopGroup.singleton.next().executor)
    }

    /// A new daemon on the same kernel and the same files.
    func restart() { keeper = Bench.keeper(kernel, clock, directory) }

    func write(_ configuration: String) throws {
        try Data(configuration.utf8).write(to: directory.appendingPathComponent("fwmarkd.yaml"))
    }

    var stateFile: URL { directory.appendingPathComponent("last-good.json") }

    @discardableResult
    func boot() async throws -> Bool {
        try await keeper.load()
        return try await keeper.start()
    }

    var status: Status { keeper.board.contents.status }
    var metrics: Metrics { keeper.board.contents.metrics }
    var events: [Event.Kind] { keeper.board.events.map(\.kind) }
    /// The marks of our rules in the kernel, in order.
    var marks: [UInt32] {
        (kernel.tables[mangle]?[.mark]?.rules ?? []).compactMap { rule in
            guard case .rule(let rule) = rule.content, case .mark(let mark) = rule.target else { return nil }
            return mark.value
        }
    }

    /// Somebody who skips the lock takes all our marks out.
    func damage() { kernel.with { $0.tables[mangle]?.change(.mark) { $0 = [] } } }

    /// Does what is due for so long, as the daemon does.
    func run(for duration: Duration, between: () -> Void = {}) async {
        let end = clock.now.advanced(by: duration)
        while clock.now < end {
            clock.advance(by: await keeper.tick())
            between()
        }
    }
}

/// A file with one service of the mark.
func web(_ mark: Int, daemon: String = "") -> String {
    """
    daemon: {\(daemon)}
    services:
      - {name: web, mark: \(mark), addresses: [203.0.113.20], tcp: [80]}

    """
}
