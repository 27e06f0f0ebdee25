// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import NIOCore
import NIOPosix

/// A line on the terminal's standard error that says what takes so long.
enum ProgressLine {
    /// From when on the line is shown.
    private static let patience = TimeAmount.seconds(1)

    /// Runs `body`; once it has taken more than a second, shows `what` and the seconds until it is done. Nothing is shown where
    /// standard error is no terminal.
    static func during<Result>(_ what: String, _ body: () async throws -> Result) async rethrows -> Result {
        guard Terminal.error.isTerminal else { return try await body() }
        // An event loop has a thread of its own: the work may keep this one busy all the time.
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let start = ContinuousClock.now
        let ticks = loop.scheduleRepeatedTask(initialDelay: patience, delay: .milliseconds(200)) { _ in
            show("\r\(what) … \((ContinuousClock.now - start).components.seconds) s\u{1b}[K")
        }
        func end() async {
            let stopped = loop.makePromise(of: Void.self)
            ticks.cancel(promise: stopped)
            try? await stopped.futureResult.get()
            if ContinuousClock.now - start > .nanoseconds(patience.nanoseconds) { show("\r\u{1b}[K") }
        }
        do {
            let result = try await body()
            await end()
            return result
        } catch {
            await end()
            throw error
        }
    }

    private static func show(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
