// SPDX-License-Identifier: GPL-2.0-or-later
/// How bad a finding is.
package enum Severity: String, Sendable, Hashable, Codable, CaseIterable {
    /// Clients are refused, wait in vain, or reach the wrong place.
    case problem
    /// It may be intended; if it is not, something does not work.
    case warning
}

/// One thing that can keep a service from working.
package struct Finding: Sendable, Hashable, Codable {
    /// The check's name.
    package var check: String
    /// How bad it is.
    package var severity: Severity
    /// What was found.
    package var seen: String
    /// Why it matters.
    package var matters: String
    /// What to type, or to write into which file; a line each.
    package var advice: [String]

    /// A finding of these parts.
    package init(check: String, severity: Severity, seen: String, matters: String, advice: [String]) {
        (self.check, self.severity, self.seen, self.matters, self.advice) = (check, severity, seen, matters, advice)
    }
}
