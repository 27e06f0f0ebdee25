// SPDX-License-Identifier: GPL-2.0-or-later
/// One thing that is wrong in a configuration file.
package struct ConfigurationError: Error, Sendable, Hashable {
    /// Where it is.
    package var position: SourcePosition
    /// Which value is meant: `services[3].tcp[1]`; empty for the file as a whole.
    package var path: String
    /// What is wrong and, where that is news, what to write instead; one line without a full stop.
    package var message: String

    /// An error of these parts.
    package init(position: SourcePosition, path: String, message: String) {
        (self.position, self.path, self.message) = (position, path, message)
    }
}

extension ConfigurationError: CustomStringConvertible {
    /// `file:line:column: path: message`
    package var description: String { "\(position): \(path.isEmpty ? "" : path + ": ")\(message)" }
}

/// Why a configuration was refused: all errors of all its files.
package struct ConfigurationErrors: Error, Sendable, Hashable {
    /// The errors in the order of files and lines: at least one, and the first thousand where there are more.
    package let errors: [ConfigurationError]
    /// How many there are, those included that are not in `errors`.
    package let count: Int

    /// A refusal for these errors.
    package init(_ errors: [ConfigurationError], count: Int? = nil) {
        self.errors = errors
        self.count = count ?? errors.count
    }
}

extension ConfigurationErrors: CustomStringConvertible {
    /// A line for each error, and one that counts those that are not kept.
    package var lines: [String] {
        errors.map(\.description) + (count > errors.count ? ["\(count - errors.count) more errors are not shown"] : [])
    }

    /// The lines in one text.
    package var description: String { lines.joined(separator: "\n") }
}
