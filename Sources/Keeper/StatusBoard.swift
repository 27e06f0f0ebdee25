package import API
package import ConfigurationFile
import FoundationEssentials
import Synchronization

/// What the keeper tells of itself, readable at any time and by anybody without waiting for the kernel.
package final class StatusBoard: Sendable {
    /// One consistent view.
    package struct Contents: Sendable {
        /// The status, without what has to be read from the kernel: tables and counters.
        package var status: Status
        /// What is in force.
        package var configuration: Configuration
        /// What was counted.
        package var metrics: Metrics
        /// Rises whenever something on the board changes.
        package internal(set) var revision: UInt64 = 0
    }

    private struct State {
        var contents: Contents
        var events = EventLog()
    }

    private let state: Mutex<State>

    /// An empty board of a daemon that works from the file.
    package init(configurationPath: String, pid: Int32) {
        let now = Date.now
        let status = Status(
            state: .failed, version: API.version, pid: pid, started: now,
            configuration: ConfigurationStatus(path: configurationPath, sha256: "", loaded: now),
            warnings: ["starting: the first comparison is under way"])
        state = Mutex(State(contents: Contents(status: status, configuration: Configuration(), metrics: Metrics())))
    }

    /// What the board says now.
    package var contents: Contents { state.withLock { $0.contents } }

    /// The events that are kept, oldest first.
    package var events: [Event] { state.withLock { $0.events.events } }

    /// The events that are kept, and a stream of all that follow. Who takes them too slowly gets one of the kind `missed` in
    /// place of those left out.
    package func follow() -> (past: [Event], following: AsyncStream<Event>) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingNewest(EventLog.followerBacklog))
        return state.withLock { state in
            let number = state.events.add(continuation)
            continuation.onTermination = { [weak self] _ in self?.removeFollower(number) }
            return (state.events.events, stream)
        }
    }

    /// Ends the streams of all followers.
    package func endFollowing() {
        // Outside the lock, which the end of a stream takes.
        for follower in state.withLock({ $0.events.takeFollowers() }) { follower.finish() }
    }

    private func removeFollower(_ number: UInt64) { state.withLock { $0.events.removeFollower(number) } }

    func update(_ body: (inout Contents) -> Void) {
        state.withLock { state in
            body(&state.contents)
            state.contents.revision += 1
        }
    }

    func add(_ kind: Event.Kind, _ message: String, lines: [String] = [], changeCount: Int = 0) -> Event {
        state.withLock { $0.events.add(kind, message, lines: lines, changeCount: changeCount) }
    }
}
