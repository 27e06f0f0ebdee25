// SPDX-License-Identifier: GPL-2.0-or-later
package import API
import FoundationEssentials

/// An event, and its line of JSON: made once, however many read it.
package struct StoredEvent: Sendable {
    /// The event.
    package let event: Event
    /// The event as a line of JSON, with its line feed.
    package let line: [UInt8]

    init(_ event: Event) {
        self.event = event
        line = JSON.encode(event) + [UInt8(ascii: "\n")]
    }
}

/// The last events, bounded in number and in bytes.
struct EventLog: Sendable {
    /// How many events are kept.
    static let capacity = 1000
    /// How many bytes they have in all.
    static let byteLimit = 4 << 20

    private(set) var events: [StoredEvent] = []
    private var byteCount = 0
    private var next: UInt64 = 1

    /// Adds an event; the oldest go.
    mutating func add(
        _ kind: Event.Kind, _ message: String, lines: [String], changeCount: Int, writer: Event.Writer?
    ) -> Event {
        let event = Event(
            id: next, time: Date.now, kind: kind, message: shortened(message),
            lines: lines.prefix(Event.lineLimit).map(shortened), changeCount: changeCount, writer: writer)
        next += 1
        let stored = StoredEvent(event)
        events.append(stored)
        byteCount += stored.line.count
        var excess = 0
        while events.count - excess > EventLog.capacity || byteCount > EventLog.byteLimit, excess < events.count - 1 {
            byteCount -= events[excess].line.count
            excess += 1
        }
        events.removeFirst(excess)
        return event
    }

    /// What follows the event of that number.
    enum Following {
        /// These, at least one.
        case events(ArraySlice<StoredEvent>)
        /// Nothing yet.
        case none
        /// The next is no longer kept: that many are missed.
        case missed(UInt64)
    }

    /// The events after that number, `limit` at most.
    func after(_ number: UInt64, limit: Int) -> Following {
        guard let first = events.first?.event.id, number + 1 < next else { return .none }
        guard number + 1 >= first else { return .missed(first - number - 1) }
        return .events(events[Int(number + 1 - first)...].prefix(limit))
    }
}

private func shortened(_ text: String) -> String {
    text.unicodeScalars.count <= Event.characterLimit
        ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(Event.characterLimit))) + "…"
}
