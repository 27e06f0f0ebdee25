// SPDX-License-Identifier: GPL-2.0-or-later
package import API
package import ConfigurationFile
import FoundationEssentials
package import Planner
import Synchronization

/// The keeper's state, readable at any time without waiting for the kernel.
package final class StatusBoard: Sendable {
    /// How many followers of events there are at most.
    package static let followerLimit = 64
    /// How many of them one user may have.
    package static let followersOfUser = 8

    /// One consistent view.
    package struct Contents: Sendable {
        /// The status, without what has to be read from the kernel: tables and counters.
        package var status: Status
        /// What is in force.
        package var loaded: LoadedConfiguration
        /// The rules it asks for, and the service of each.
        package var plan: Plan
        /// The files as they were when they were last read, or looked at to be read.
        package var files: FilesOnDisk?
        /// What was counted.
        package var metrics: Metrics
        /// Rises whenever something on the board changes.
        package internal(set) var revision: UInt64 = 0
    }

    private struct Follower {
        var user: UInt32?
        var wake: AsyncStream<Void>.Continuation
    }

    private struct State {
        var contents: Contents
        var events = EventLog()
        var followers: [UInt64: Follower] = [:]
        var nextFollower: UInt64 = 0
        var hasEnded = false
    }

    private let state: Mutex<State>

    /// An empty board of a daemon that works from the file.
    package init(configurationPath: String, pid: Int32, host: String = "") {
        let now = Date.now
        let status = Status(
            state: .starting, version: API.version, host: host, pid: pid, started: now,
            configuration: ConfigurationStatus(path: configurationPath, sha256: "", loaded: now))
        let nothing = LoadedConfiguration()
        state = Mutex(
            State(
                contents: Contents(
                    status: status, loaded: nothing, plan: Planner.plan(for: nothing.configuration), metrics: Metrics())))
    }

    /// What the board says now.
    package var contents: Contents { state.withLock { $0.contents } }

    /// The events that are kept, oldest first.
    package var events: [StoredEvent] { state.withLock { $0.events.events } }

    /// Notes whether a server listens.
    package func note(_ server: ServerStatus) {
        update { contents in
            contents.status.servers.removeAll { $0.name == server.name }
            contents.status.servers.append(server)
            contents.status.servers.sort { $0.name < $1.name }
        }
    }

    /// Takes a server that is no longer wanted out of the status.
    package func removeServer(_ name: String) { update { $0.status.servers.removeAll { $0.name == name } } }

    /// Counts a request that was refused because there were too many.
    package func countRefusedRequest() { update { $0.metrics.refusedRequests += 1 } }

    // MARK: - Followers

    /// Follows the events: those after the number, and all that come.
    ///
    /// - Parameter user: the user that follows, where that is known.
    /// - Returns: nil where there are too many already, in all or of that user.
    package func follow(user: UInt32?, after position: UInt64 = 0) -> EventFollower? {
        let (stream, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let number: UInt64? = state.withLock { state in
            guard state.followers.count < StatusBoard.followerLimit,
                user == nil || state.followers.values.count(where: { $0.user == user }) < StatusBoard.followersOfUser
            else { return nil }
            state.nextFollower += 1
            state.followers[state.nextFollower] = Follower(user: user, wake: wake)
            return state.nextFollower
        }
        guard let number else { return nil }
        // Before the first that is kept a follower that comes only now has missed nothing.
        let first = state.withLock { $0.events.events.first?.event.id ?? 1 }
        return EventFollower(self, number: number, after: position == 0 ? first - 1 : position, wake: stream)
    }

    /// Lets all followers end when they have been given what there is.
    package func endFollowing() {
        let followers = state.withLock { state in
            state.hasEnded = true
            return Array(state.followers.values)
        }
        // Outside the lock, which the end of a stream takes.
        for follower in followers { follower.wake.finish() }
    }

    func removeFollower(_ number: UInt64) {
        // Dropped outside the lock.
        _ = state.withLock { $0.followers.removeValue(forKey: number) }
    }

    func following(_ number: UInt64, limit: Int) -> (EventLog.Following, hasEnded: Bool) {
        let (following, hasEnded) = state.withLock { ($0.events.after(number, limit: limit), $0.hasEnded) }
        if case .missed = following { update { $0.metrics.droppedFollowers += 1 } }
        return (following, hasEnded)
    }

    // MARK: - The keeper's side

    func update(_ body: (inout Contents) -> Void) {
        state.withLock { state in
            body(&state.contents)
            state.contents.revision += 1
        }
    }

    func add(
        _ kind: Event.Kind, _ message: String, lines: [String] = [], changeCount: Int = 0, writer: Event.Writer? = nil
    ) -> Event {
        let (event, wakes) = state.withLock { state in
            (
                state.events.add(kind, message, lines: lines, changeCount: changeCount, writer: writer),
                state.followers.values.map(\.wake)
            )
        }
        for wake in wakes { wake.yield() }
        return event
    }
}
