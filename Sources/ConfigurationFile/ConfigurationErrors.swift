// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// Why a configuration was refused: all errors of all its files.
package struct ConfigurationErrors: Error, Sendable, Hashable {
    /// The errors in the order of files and lines: at least one, and the first thousand where there are more.
    package let errors: [FileError]
    /// How many there are, those included that are not in `errors`.
    package let count: Int

    /// A refusal for these errors.
    package init(_ errors: [FileError], count: Int? = nil) {
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
