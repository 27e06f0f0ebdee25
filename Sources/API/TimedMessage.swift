// SPDX-License-Identifier: GPL-2.0-or-later
package import FoundationEssentials

/// Something that happened, and when.
package struct TimedMessage: Codable, Sendable, Hashable {
    /// When.
    package var time: Date
    /// What.
    package var message: String

    /// A message of that time.
    package init(time: Date, message: String) {
        (self.time, self.message) = (time, message)
    }
}
