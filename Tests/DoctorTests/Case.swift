// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Doctor

/// A machine that differs from the healthy one in one thing, and what the doctor is to say of it.
struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let check: String
    /// The beginning of what is seen; nil: the check is silent.
    let seen: String?
    let severity: Severity
    let change: @Sendable (inout Facts) throws -> Void

    /// The check finds a problem.
    static func problem(
        _ check: String, _ description: String, _ seen: String, _ change: @escaping @Sendable (inout Facts) throws -> Void
    ) -> Case { Case(testDescription: description, check: check, seen: seen, severity: .problem, change: change) }

    /// The check warns.
    static func warning(
        _ check: String, _ description: String, _ seen: String, _ change: @escaping @Sendable (inout Facts) throws -> Void
    ) -> Case { Case(testDescription: description, check: check, seen: seen, severity: .warning, change: change) }

    /// The check is silent, and so are all others.
    static func silent(
        _ check: String, _ description: String, _ change: @escaping @Sendable (inout Facts) throws -> Void
    ) -> Case { Case(testDescription: description, check: check, seen: nil, severity: .problem, change: change) }
}
