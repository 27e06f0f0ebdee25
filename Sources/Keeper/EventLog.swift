import API
import FoundationEssentials

/// The last events, and who follows them.
struct EventLog {
    /// How many events are kept.
    static let capacity = 1000
    /// How many events wait for a follower who does not take them; older ones are left out for him.
    static let followerBacklog = 256

    private(set) var events: [Event] = []
    private var next: UInt64 = 1
    private var followers: [UInt64: AsyncStream<Event>.Continuation] = [:]
    private var nextFollower: UInt64 = 0

    /// Adds an event and hands it to all followers; never waits for one.
    mutating func add(_ kind: Event.Kind, _ message: String, lines: [String], changeCount: Int) -> Event {
        let event = Event(
            id: next, time: Date.now, kind: kind, message: message, lines: Array(lines.prefix(Event.lineLimit)),
            changeCount: changeCount)
        next += 1
        if events.count == EventLog.capacity { events.removeFirst() }
        events.append(event)
        for follower in followers.values { follower.yield(event) }
        return event
    }

    /// Lets the continuation have all events from now on, and tells its number.
    mutating func add(_ follower: AsyncStream<Event>.Continuation) -> UInt64 {
        nextFollower += 1
        followers[nextFollower] = follower
        return nextFollower
    }

    mutating func removeFollower(_ number: UInt64) { followers[number] = nil }

    /// Forgets all followers, and tells who they were.
    mutating func takeFollowers() -> [AsyncStream<Event>.Continuation] {
        defer { followers = [:] }
        return Array(followers.values)
    }
}
