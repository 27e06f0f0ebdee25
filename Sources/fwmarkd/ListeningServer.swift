// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Keeper
import Logging
import NIOCore
import Rules
import ServiceLifecycle
import Synchronization
import SystemCalls

/// Keeps one server listening, and tells the board how that is.
struct ListeningServer: Sendable {
    let name: String
    let address: String
    let board: StatusBoard
    let log: Logger

    /// The pause after the first attempt that failed; each further one is twice as long.
    static let firstPause = Duration.milliseconds(500)
    /// The longest pause.
    static let longestPause = Duration.seconds(60)

    /// Runs the server again and again, until the daemon stops or the task is cancelled.
    ///
    /// - Parameter serve: runs the server once, and calls its argument when it listens.
    func run(_ serve: (@escaping @Sendable () -> Void) async throws -> Void) async {
        var pause = ListeningServer.firstPause
        var reported: String?
        note(error: "not yet")
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let hasListened = Happened()
            var reason = "it ended"
            do {
                try await serve {
                    hasListened.raise()
                    note(error: nil)
                }
            } catch is CancellationError {
                break
            } catch {
                reason = (error as? IOError).map { SystemError.text(errno: $0.errnoCode) } ?? "\(error)"
            }
            if Task.isCancelled || Task.isShuttingDownGracefully { break }
            if hasListened.isRaised { (pause, reported) = (ListeningServer.firstPause, nil) }
            note(error: reason)
            if reason != reported {
                log.warning("\(name) does not listen on \(address): \(printable(reason)); retrying")
                reported = reason
            }
            // What was lost is made again at once.
            if hasListened.isRaised { continue }
            let due = pause
            await cancelWhenGracefulShutdown { try? await Task.sleep(for: due) }
            pause = min(pause * 2, ListeningServer.longestPause)
        }
    }

    private func note(error: String?) {
        board.note(ServerStatus(name: name, address: address, isListening: error == nil, error: error))
    }
}

/// Whether something has happened, told from another thread.
final class Happened: Sendable {
    private let value = Atomic(false)
    var isRaised: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
}
