package import FoundationEssentials

/// Something that happened to the rules: a line of `GET /v1/events`.
package struct Event: Codable, Sendable, Hashable {
    /// What kind of thing.
    package enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
        /// The daemon started.
        case started
        /// The daemon stops.
        case stopping
        /// A configuration was put into the kernel.
        case applied
        /// The file was read again and refused; nothing changed.
        case reloadRefused = "reload-refused"
        /// The last good configuration was used in place of a missing or bad file.
        case fallback
        /// The kernel was found to differ from the configuration.
        case drift
        /// What was found was mended.
        case repaired
        /// Somebody undoes repairs again and again; they are made with growing pauses.
        case contended
        /// Nobody undoes repairs any more.
        case calm
        /// The kernel could not be brought to the configuration.
        case failed
        /// Followers were too slow, and events were left out before this one.
        case missed
    }

    /// Its number, rising by one from 1 at the daemon's start.
    package var id: UInt64
    /// When.
    package var time: Date
    /// What kind of thing.
    package var kind: Kind
    /// What, for people.
    package var message: String
    /// The first of the changes found or made, in iptables syntax; at most `lineLimit` lines.
    package var lines: [String]
    /// How many changes there were in all.
    package var changeCount: Int

    /// How many lines an event keeps.
    package static let lineLimit = 20

    /// An event of these parts.
    package init(id: UInt64, time: Date, kind: Kind, message: String, lines: [String] = [], changeCount: Int = 0) {
        self.id = id
        self.time = time
        self.kind = kind
        self.message = message
        self.lines = lines
        self.changeCount = changeCount
    }
}
