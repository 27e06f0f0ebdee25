// SPDX-License-Identifier: GPL-2.0-or-later
/// What a check came to.
package struct CheckResult: Sendable, Hashable {
    /// What it found; nothing where all is well.
    package var findings: [Finding] = []
    /// What it could not examine, and why: a sentence each.
    package var notRun: [String] = []

    /// Nothing found.
    package static let silent = CheckResult()

    /// The check could not run for this reason.
    package static func notRun(_ reason: String) -> CheckResult {
        var verdict = CheckResult()
        verdict.notRun = [reason]
        return verdict
    }

    /// Adds the finding if the setting is 0; where it cannot be read, the check has not run.
    mutating func add(_ finding: @autoclosure () -> Finding, ifZero setting: String, in facts: Facts) {
        switch facts.settings[setting] {
        case "0": findings.append(finding())
        case nil: notRun.append("\(setting) cannot be read")
        default: break
        }
    }

    /// These findings.
    package static func found(_ findings: [Finding]) -> CheckResult {
        var verdict = CheckResult()
        verdict.findings = findings
        return verdict
    }
}
