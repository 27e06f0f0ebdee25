// SPDX-License-Identifier: GPL-2.0-or-later
package import FoundationEssentials
package import Rules

/// What the daemon works from.
package struct ConfigurationStatus: Codable, Sendable, Hashable {
    /// The file.
    package var path: String
    /// SHA-256 of what the rules in force depend on, in lower-case hexadecimal.
    package var sha256: String
    /// When what is in force was read.
    package var loaded: Date
    /// Whether what is in force is the last good configuration out of the state directory.
    package var fallback: Bool
    /// When the file, or one in conf.d, was changed after it was last read; absent if it was not.
    package var changed: Date?
    /// Files in conf.d that are not read because their names do not end in `.yaml`.
    package var ignoredFiles: [String]
    /// A file that the daemon's user may not read; absent if there is none.
    package var unreadable: UnreadableFile?
    /// What is wrong with the file; empty if it was read and found right.
    package var errors: [FileError]

    /// A status of these parts.
    package init(
        path: String, sha256: String, loaded: Date, fallback: Bool = false, changed: Date? = nil, ignoredFiles: [String] = [],
        unreadable: UnreadableFile? = nil, errors: [FileError] = []
    ) {
        self.path = path
        self.sha256 = sha256
        self.loaded = loaded
        self.fallback = fallback
        self.changed = changed
        self.ignoredFiles = ignoredFiles
        self.unreadable = unreadable
        self.errors = errors
    }
}
