/// How bad a finding is.
package enum Severity: String, Sendable, Hashable, Codable, CaseIterable {
    /// Clients are refused, wait in vain, or come to the wrong place.
    case problem
    /// It may be meant so; if it is not, something does not work.
    case warning
}

/// One thing that can keep a service from working.
package struct Finding: Sendable, Hashable, Codable {
    /// The check's name.
    package var check: String
    /// How bad it is.
    package var severity: Severity
    /// What was seen.
    package var seen: String
    /// Why it matters.
    package var matters: String
    /// What to type, or to write into which file; a line each.
    package var advice: [String]

    /// A finding of these parts.
    package init(check: String, severity: Severity, seen: String, matters: String, advice: [String]) {
        self.check = check
        self.severity = severity
        self.seen = seen
        self.matters = matters
        self.advice = advice
    }
}

/// What a check came to.
package struct Verdict: Sendable, Hashable {
    /// What it found; nothing where all is well.
    package var findings: [Finding] = []
    /// What it could not look at, and why: a sentence each.
    package var notRun: [String] = []

    /// Nothing found.
    package static let silent = Verdict()

    /// The check could not run for this reason.
    package static func notRun(_ reason: String) -> Verdict {
        var verdict = Verdict()
        verdict.notRun = [reason]
        return verdict
    }
}

/// A question to the facts that has a clear answer. Pure: the same facts, the same verdict.
package protocol Check: Sendable {
    /// The check's name, in small letters and dashes.
    static var name: String { get }
    /// Judges the facts.
    static func examine(_ facts: Facts) -> Verdict
}

extension Check {
    /// A finding of this check.
    static func finding(_ severity: Severity, _ seen: String, _ matters: String, _ advice: String...) -> Finding {
        Finding(check: name, severity: severity, seen: seen, matters: matters, advice: advice)
    }
}

/// Everything that outside our rules can keep a service from working, judged on one machine at one moment.
package struct Examination: Sendable, Hashable, Codable {
    /// A check that could not run, or not to its end.
    package struct NotRun: Sendable, Hashable, Codable {
        /// The check's name.
        package var check: String
        /// Why.
        package var reason: String
    }

    /// What was found, problems first.
    package var findings: [Finding]
    /// What could not be looked at.
    package var notRun: [NotRun]
    /// The names of all checks.
    package var checks: [String]

    /// Every check there is.
    static let all: [any Check.Type] = [
        LegacyTables.self, NftRules.self, VirtualServices.self, Persistence.self, OrphanVirtualServices.self, IPForward.self,
        IPVSFTPModule.self, IPVSConntrack.self, ForeignMarks.self, RoutingRules.self, RulesBeforeOurs.self, MasqueradeAddress.self,
        VsftpdSettings.self,
    ]

    /// Has all checks judge the facts.
    package init(of facts: Facts) {
        var findings: [Finding] = []
        notRun = []
        for check in Examination.all {
            let verdict = check.examine(facts)
            findings += verdict.findings
            notRun += verdict.notRun.map { NotRun(check: check.name, reason: $0) }
        }
        self.findings = findings.filter { $0.severity == .problem } + findings.filter { $0.severity != .problem }
        checks = Examination.all.map { $0.name }
    }

    /// Whether anything was found that keeps a service from working.
    package var hasProblems: Bool { findings.contains { $0.severity == .problem } }
}
