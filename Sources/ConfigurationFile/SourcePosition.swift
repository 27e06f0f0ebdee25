// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// A place in a file.
package struct SourcePosition: Sendable, Hashable {
    /// The file's path, as it was given or found.
    package var file: String
    /// The line, counted from 1.
    package var line: Int
    /// The column in characters, counted from 1.
    package var column: Int

    /// The position of the given line and column, both counted from 1.
    package init(file: String, line: Int, column: Int) {
        (self.file, self.line, self.column) = (file, line, column)
    }
}

extension SourcePosition: CustomStringConvertible {
    /// `file:line:column`
    package var description: String { "\(printable(file)):\(line):\(column)" }
}
