/// Why a text or a number is not a value of the wanted type: what is wrong, and what would be right.
///
/// Both halves are fragments without a full stop, made to stand in `file:line:column: path: problem; expected`.
package struct InvalidValue: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, naming the offending value: `"10.11.12.1/24" has bits set behind the prefix length`.
    package let problem: String
    /// What is expected instead: `10.11.12.0/24, or 10.11.12.1/32 for the one address`.
    package let expected: String

    /// An error of the two given fragments.
    package init(problem: String, expected: String) {
        self.problem = problem
        self.expected = expected
    }

    /// The refusal of a number like `021`, which YAML 1.1 and C read as octal and everybody else does not.
    static func leadingZero(_ text: String, _ number: String) -> InvalidValue {
        InvalidValue(problem: "\"\(text)\" has a leading zero, which some programs read as octal", expected: number)
    }

    /// `problem; expected …`
    package var description: String { "\(problem); expected \(expected)" }
}
