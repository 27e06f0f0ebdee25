// SPDX-License-Identifier: GPL-2.0-or-later
/// A fact, or why it is not known.
package enum Fact<Value: Sendable>: Sendable {
    /// What was found.
    case known(Value)
    /// Why it could not be found out.
    case unknown(String)

    /// What the body says of the fact, if it is known.
    func judge(_ body: (Value) -> CheckResult) -> CheckResult {
        switch self {
        case .known(let value): body(value)
        case .unknown(let reason): .notRun(reason)
        }
    }
}
