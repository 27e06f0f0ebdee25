// SPDX-License-Identifier: GPL-2.0-or-later
/// One thing that is wrong in a configuration file: what the reader reports, and what the sockets send.
package struct FileError: Error, Codable, Sendable, Hashable {
    /// The file's path, printable.
    package var file: String
    /// The line, counted from 1.
    package var line: Int
    /// The column in characters, counted from 1.
    package var column: Int
    /// The way to the value: `services[3].tcp[1]`; empty for the file as a whole.
    package var path: String
    /// What is wrong and, where that is news, what to write instead; one line without a full stop.
    package var message: String

    /// An error of these parts.
    package init(file: String, line: Int, column: Int, path: String, message: String) {
        (self.line, self.column, self.path, self.message) = (line, column, path, message)
        self.file = printable(file)
    }
}

extension FileError: CustomStringConvertible {
    /// `file:line:column: path: what is wrong`
    package var description: String { "\(file):\(line):\(column): \(path.isEmpty ? "" : path + ": ")\(message)" }
}
