// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@testable import Doctor

@Suite("The list of checks")
struct DocumentTests {
    @Test("docs/doctor.md describes each check there is, and no other")
    func checks() throws {
        let path = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../docs/doctor.md").standardized.path
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let listed = text.split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix("| `"), let end = line.dropFirst(3).firstIndex(of: "`") else { return nil }
            return String(line[line.index(line.startIndex, offsetBy: 3)..<end])
        }
        #expect(listed.count == Set(listed).count)
        #expect(Set(listed) == Set(Examination.all.map { $0.name }))
    }
}
