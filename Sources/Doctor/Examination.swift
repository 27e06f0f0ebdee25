// SPDX-License-Identifier: GPL-2.0-or-later
/// Everything outside our rules that can keep a service from working, judged on one machine at one moment.
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
    /// What could not be examined.
    package var notRun: [NotRun]
    /// The names of all checks.
    package var checks: [String]

    /// All checks. docs/doctor.md describes each.
    static let all: [any Check.Type] = [
        LegacyTables.self, IPVSPresence.self, VirtualServices.self, Persistence.self, OrphanVirtualServices.self, RealServers.self,
        QuiescentServers.self, ForwardingMethods.self, OnePacketScheduling.self, IPForward.self, IPVSConntrack.self,
        VirtualAddressTracking.self, ConntrackTable.self, ForeignMarks.self, MarkReaders.self, RoutingRules.self,
        RulesBeforeOurs.self, FilterRules.self, NftTranslations.self, AbsentAddresses.self, MasqueradeAddress.self,
        IPVSFTPModule.self, FTPServerFiles.self,
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

    /// How many findings of that severity a check has.
    package func count(_ check: String, _ severity: Severity) -> Int {
        findings.count { $0.check == check && $0.severity == severity }
    }
}
