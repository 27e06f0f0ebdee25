// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Importer
import Rules
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Cases/dumps")

@Suite("Dumps that people have")
struct CaseDumpsTests {
    /// What import prints of them: lines that are in it, and how many rules are left.
    private static let cases: [(name: String, lines: [String], leftover: Int)] = [
        ("all-protocols", ["addresses: [203.0.113.64/28]", "protocols: any", "in-interface: [eth2]"], 0),
        ("comment-with-newline", ["- name: ftp", "passive-ports: 10000-20000"], 0), ("connmark", ["services: []"], 3),
        ("covered", ["hook-position: last", "to: 198.51.100.1", "- name: masquerade"], 1),
        ("crlf", ["- name: ftp", "passive-ports: 10000-20000"], 0),
        ("ipsec", ["udp: [500, 4500]", "protocols: [esp, ah]"], 1),
        ("mention", ["- name: ftp", "real-servers: [10.11.12.0/24]"], 0),
        ("names", ["mark: 80", "mark: 94", "- name: \"no\"", "- name: \"123\""], 0),
        ("negated", ["addresses: [0.0.0.0/0, \"!10.0.0.0/8\"]", "sources: [\"!192.0.2.128/25\"]", "tcp: [3128]"], 0),
        (
            "odd-spellings",
            [
                "tcp: [80, 443]", "addresses: [203.0.113.21, 203.0.113.22]", "addresses: [203.0.113.30/31, 203.0.113.32/30]",
                "in-interface: [\"bond0+\"]", "in-interface: [\"!lo\"]", "mark: 0x10/0x10",
            ], 6
        ), ("range-with-hole", ["udp: [50000-51819, 51821-60000]", "tcp: [7880-7881]"], 1),
        ("twice", ["tcp: [80]"], 1), ("two-box-mac", ["source-macs: [\"!02:00:5e:10:00:02\"]", "tcp: [21, 30000-31000]"], 0),
        ("whole-protocol", ["tcp: any", "udp: any"], 0),
    ]

    @Test("Each becomes a file that is accepted, and what has no words for it is listed", arguments: cases.indices)
    func imported(_ index: Int) throws {
        let (name, lines, leftover) = CaseDumpsTests.cases[index]
        let found = FoundRules(parsing: Array(try Data(contentsOf: folder.appendingPathComponent(name + ".v4"))))
        #expect(found.tables.keys.allSatisfy { $0.family == .ipv4 })
        let imported = ImportedRules(found)
        let printed = imported.text.split(separator: "\n").map { $0.drop { $0 == " " } }
        for line in lines { #expect(printed.contains(line[...]), "\(name) has no \(line):\n\(imported.text)") }
        #expect(imported.leftovers.reduce(0) { $0 + $1.rules.count } == leftover, "\(name):\n\(imported.text)")
        #expect(imported.strayLines.isEmpty)
        let text = ConfigurationText(path: "imported.yaml", bytes: Array(imported.text.utf8))
        #expect(try Configuration.load([text]).configuration == imported.configuration)
    }
}
