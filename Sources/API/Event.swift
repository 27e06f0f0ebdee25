// SPDX-License-Identifier: GPL-2.0-or-later
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
        /// A new configuration was refused, by the file's rules or by the kernel; the one before stays in force.
        case reloadRefused = "reload-refused"
        /// The last good configuration was used in place of a missing or refused file.
        case fallback
        /// The kernel was found to differ from the configuration.
        case drift
        /// The differences that were found were repaired.
        case repaired
        /// Another program undoes repairs again and again.
        case contended
        /// Repairs are no longer being undone.
        case calm
        /// The kernel could not be brought to the configuration.
        case failed
        /// Sent to one follower alone, as its last line: it read too slowly, and is cut off.
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

    /// The program that wrote, where the kernel's audit names it.
    package var writer: Writer?

    /// How many lines an event keeps.
    package static let lineLimit = 20
    /// How many characters a line or a message keeps; longer ones end in `…`.
    package static let characterLimit = 1000

    /// A program that changed a table.
    package struct Writer: Codable, Sendable, Hashable {
        /// Its name, as the kernel has it: at most 15 characters.
        package var program: String
        /// Its process.
        package var pid: Int32

        /// A writer of this name and process.
        package init(program: String, pid: Int32) {
            (self.program, self.pid) = (program, pid)
        }
    }

    /// An event of these parts.
    package init(
        id: UInt64, time: Date, kind: Kind, message: String, lines: [String] = [], changeCount: Int = 0, writer: Writer? = nil
    ) {
        self.id = id
        self.time = time
        self.kind = kind
        self.message = message
        self.lines = lines
        self.changeCount = changeCount
        self.writer = writer
    }
}
