// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// One thing that is wrong in a configuration file.
package struct FileError: Codable, Sendable, Hashable {
    /// The file's path, printable.
    package var file: String
    /// The line, counted from 1.
    package var line: Int
    /// The column in characters, counted from 1.
    package var column: Int
    /// The way to the value: `services[3].tcp[1]`; empty for the file as a whole.
    package var path: String
    /// What is wrong and, where it helps, what to write instead.
    package var message: String

    /// An error of these parts.
    package init(file: String, line: Int, column: Int, path: String, message: String) {
        (self.line, self.column, self.path, self.message) = (line, column, path, message)
        self.file = printable(file)
    }

    /// `file:line:column: path: what is wrong`
    package var text: String { "\(file):\(line):\(column): \(path.isEmpty ? "" : path + ": ")\(message)" }
}
