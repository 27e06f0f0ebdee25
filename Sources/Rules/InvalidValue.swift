// SPDX-License-Identifier: GPL-2.0-or-later
/// Why a text or a number is not a value of the wanted type.
///
/// Both parts are fragments without a full stop, so that they can be put into `file:line:column: path: problem; advice`.
package struct InvalidValue: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, with the value: `invalid port "0"`.
    package let problem: String
    /// What to write instead, where that is news to the reader: `write 10.11.12.0/24, or 10.11.12.1/32 for the one address`.
    package let advice: String?

    /// An error of these parts.
    package init(_ problem: String, advice: String? = nil) {
        (self.problem, self.advice) = (problem, advice)
    }

    /// The error of a number like `021`, which YAML 1.1 and C read as octal and other readers do not.
    static func leadingZero(_ text: String, _ number: String) -> InvalidValue {
        InvalidValue("\"\(text)\" has a leading zero, which some programs read as octal", advice: "write \(number)")
    }

    /// `problem; advice`
    package var description: String { advice.map { "\(problem); \($0)" } ?? problem }
}
