// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules
import Testing

@testable import Doctor

private let cases = kernelCases + ipvsCases + ruleCases + ftpCases

@Suite("The doctor")
struct CheckTests {
    @Test("Says nothing where all is well")
    func healthyMachine() throws {
        let examination = Examination(of: try healthy())
        #expect(examination.findings == [])
        #expect(examination.notRun == [])
        #expect(!examination.hasProblems)
    }

    @Test("Says what it has to say, and no other check speaks", arguments: cases)
    func each(_ sample: Case) throws {
        var facts = try healthy()
        try sample.change(&facts)
        let examination = Examination(of: facts)
        guard let seen = sample.seen else {
            #expect(examination.findings == [])
            return
        }
        #expect(examination.findings.map(\.check) == [sample.check])
        let finding = try #require(examination.findings.first { $0.check == sample.check })
        #expect(finding.seen.hasPrefix(seen), "\(finding.seen)")
        #expect(finding.severity == sample.severity)
        #expect(!finding.matters.isEmpty && !finding.advice.isEmpty)
        #expect(examination.hasProblems == (sample.severity == .problem))
    }

    @Test("A setting that cannot be read is reported, and not taken for right")
    func unreadable() throws {
        var facts = try healthy()
        facts.configuration.ftp[0].active?.to = .virtualAddress
        facts.modules.insert("nf_conntrack_ftp")
        facts.settings["net.ipv4.vs.conntrack"] = nil
        let examination = Examination(of: facts)
        #expect(examination.notRun.contains { $0.reason == "net.ipv4.vs.conntrack cannot be read" })
    }

    @Test("Each check has a case in which it speaks and one in which it is silent")
    func completeness() {
        for check in Examination.all {
            #expect(cases.contains { $0.check == check.name && $0.seen != nil }, "\(check.name)")
            #expect(cases.contains { $0.check == check.name && $0.seen == nil }, "\(check.name)")
        }
        #expect(Set(Examination.all.map { $0.name }).count == Examination.all.count)
        #expect(cases.allSatisfy { sample in Examination.all.contains { $0.name == sample.check } })
    }

    @Test("No advice writes into a file that another one's writes into")
    func files() throws {
        var writers: [String: Set<String>] = [:]
        for sample in cases {
            var facts = try healthy()
            try sample.change(&facts)
            for finding in Examination(of: facts).findings {
                for line in finding.advice {
                    guard let range = line.firstRange(of: " > ") else { continue }
                    writers[String(line[range.upperBound...]), default: []].insert(String(line[..<range.lowerBound]))
                }
            }
        }
        #expect(!writers.isEmpty)
        for (path, lines) in writers { #expect(lines.count == 1, "\(path): \(lines)") }
    }
}
