// SPDX-License-Identifier: GPL-2.0-or-later
import API
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Keeper

/// How events are sent.
enum EventFormat: Sendable {
    /// A line of JSON each.
    case lines
    /// Server-sent events, as browsers read them. An id is the daemon's start in milliseconds and the event's number, since
    /// numbers start over with the daemon.
    case serverSent(start: UInt64)

    /// What the request asks for by `Accept`.
    init(accept: String?, started: Date) {
        let wanted = (accept ?? "").split(separator: ",").map { $0.prefix { $0 != ";" } }
        let isServerSent = wanted.contains { $0.split(separator: " ").first?.lowercased() == "text/event-stream" }
        self = isServerSent ? .serverSent(start: EventFormat.milliseconds(started)) : .lines
    }

    /// The time as ids have it.
    static func milliseconds(_ time: Date) -> UInt64 { UInt64(max(0, time.timeIntervalSince1970 * 1000)) }

    /// The media type.
    var mediaType: String {
        switch self {
        case .lines: "application/x-ndjson"
        case .serverSent: "text/event-stream"
        }
    }

    /// After which event a client wants to go on that has seen this id; 0: from the first that is kept.
    func position(after lastID: String?) -> UInt64 {
        guard case .serverSent(let start) = self, let parts = lastID?.split(separator: "-"), parts.count == 2,
            parts[0] == "\(start)", let number = UInt64(parts[1])
        else { return 0 }
        return number
    }

    /// The event as bytes.
    func bytes(_ event: StoredEvent) -> [UInt8] {
        switch self {
        case .lines: event.line
        // The line ends with the line feed that ends the field; an empty line ends the event.
        case .serverSent(let start): Array("id: \(start)-\(event.event.id)\ndata: ".utf8) + event.line + [UInt8(ascii: "\n")]
        }
    }
}
