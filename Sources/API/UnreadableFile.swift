// SPDX-License-Identifier: GPL-2.0-or-later
/// A configuration file that the daemon's user may not read.
package struct UnreadableFile: Codable, Sendable, Hashable {
    /// The file.
    package var path: String
    /// What the superuser types to make it readable.
    package var command: String

    /// A file of that path, and what makes it readable.
    package init(path: String, command: String) {
        (self.path, self.command) = (path, command)
    }
}
