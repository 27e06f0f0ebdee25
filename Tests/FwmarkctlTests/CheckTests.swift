// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import Rules
import Testing

@Suite("fwmarkctl check")
struct CheckTests {
    private let program: Program
    private var scratch: Scratch { program.scratch }

    init() throws { program = Program(try Scratch()) }

    @Test("A file without errors is summed up")
    func right() throws {
        let file = try scratch.file("fwmarkd.yaml", exampleFile)
        let end = try program.run(["check", "--config", file])
        #expect(end.status == 0 && end.errors == "")
        #expect(end.output.hasPrefix("\(file): OK (5 rules): 1 FTP service, 1 service, 0 masquerades; sha256 "))
        _ = try scratch.file("conf.d/10.yaml", "services:\n  - {name: dns, mark: 53, addresses: [192.0.2.1], udp: [53]}\n")
        let both = try program.run(["check", "--config", file]).output
        #expect(both.hasPrefix("\(file): OK (6 rules), with 1 file of conf.d: 1 FTP service, 2 services, 0 masquerades;"))
    }

    @Test("Every error is a line of its own on standard error, and the status is 1")
    func errors() throws {
        let file = try scratch.file(
            "fwmarkd.yaml", "services:\n  - name: web\n    mark: 0\n    adresses: [192.0.2.1]\n    tcp: [80, 70000]\n")
        let end = try program.run(["check", "--config", file])
        #expect(end.status == 1 && end.output == "")
        #expect(end.errorLines.count == 3)
        #expect(end.errorLines.allSatisfy { $0.hasPrefix("\(file):") })
        #expect(end.errors.contains("\(file):3:11: services[0].mark: invalid mark 0"))
    }

    @Test("As JSON, the errors are on standard output")
    func json() throws {
        struct Report: Decodable {
            var isRight: Bool
            var errors: [FileError]
            var rules: Int?
        }
        let bad = try scratch.file("bad.yaml", "services: 1\n")
        let end = try program.run(["check", "--config", bad, "--json"])
        #expect(end.status == 1 && end.errors == "")
        let report = try JSON.decode(Report.self, from: Array(end.output.utf8))
        #expect(!report.isRight && report.rules == nil)
        #expect(report.errors.map(\.line) == [1])
        let good = try program.run(["check", "--config", try scratch.file("good.yaml", exampleFile), "--json"])
        #expect(good.status == 0)
        let goodReport = try JSON.decode(Report.self, from: Array(good.output.utf8))
        #expect(goodReport.isRight && goodReport.errors.isEmpty && goodReport.rules == 5)
    }

    @Test("A missing file is an error for every command that needs it", arguments: ["check", "render", "plan", "apply"])
    func missing(_ command: String) throws {
        let end = try program.run([command, "--config", scratch.path + "/none.yaml", "--socket", scratch.path])
        #expect(end.status == 1 && end.output == "")
        #expect(
            end.errorLines == [
                "\(scratch.path)/none.yaml:1:1: does not exist: write it (see: man fwmarkd.yaml), or name another with --config"
            ])
    }
}
