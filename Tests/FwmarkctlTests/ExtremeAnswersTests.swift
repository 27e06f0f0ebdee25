// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import NamespaceSupport
import Testing

@Suite("Numbers and times of a daemon that has lost its mind")
struct ExtremeAnswersTests {
    /// Places of numbers in a text of JSON.
    private func numbers(in json: String) throws -> [Range<String.Index>] {
        json.ranges(of: try Regex(#"[:\[,]-?[0-9.]+(?=[,}\]])"#)).map { json.index(after: $0.lowerBound)..<$0.upperBound }
    }

    @Test(
        "Each number of a status, as large or small as a number can be: an error or a text, never a trap",
        arguments: ["1e300", "-1e300", "-9223372036854775808", "18446744073709551615", "1e-300", "-1"])
    func numbers(_ extreme: String) throws {
        let scratch = try Scratch()
        let program = Program(scratch)
        let json = text(Samples.troubled)
        let places = try numbers(in: json)
        #expect(places.count > 10)
        let answers = places.map { json.replacingCharacters(in: $0, with: extreme) }
        let daemon = try FakeDaemon(scratch, ["GET /v1/status": { $0.answer(200, answers[min($0.earlier, answers.count - 1)]) }])
        defer { daemon.stop() }
        for answer in answers {
            let end = try program.run("status --socket \(scratch.path)")
            #expect(end.status < 128, "\(answer): \(end.errors)")
        }
    }

    @Test(
        "Times long before and after all others",
        arguments: ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-9999-01-01T00:00:00Z"])
    func times(_ extreme: String) throws {
        let scratch = try Scratch()
        let program = Program(scratch)
        let json = text(Samples.troubled).replacing(
            try Regex(#""[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z""#), with: "\"\(extreme)\"")
        let daemon = try FakeDaemon(scratch, ["GET /v1/status": { $0.answer(200, json) }])
        defer { daemon.stop() }
        #expect(try program.run("status --socket \(scratch.path)").status < 128)
    }
}
