// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Rules
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Cases/files")

@Suite("Files that people wrote")
struct CaseFilesTests {
    @Test(
        "Each is refused, and told what to write",
        arguments: [
            (
                "inverted-by-advice",
                ["4:20: masquerade[0].destinations[0]: a value that begins with ! has to be in quotes: \"!10.0.0.0/8\""]
            ),
            (
                "unquoted-exclamation",
                [
                    "5:9: masquerade[0].destinations[0]: a value that begins with ! has to be in quotes: \"!10.0.0.0/8\"",
                    "6:9: masquerade[0].destinations[1]: a value that begins with ! has to be in quotes: \"!fd00::/8\"",
                ]
            ),
            (
                "never-matches",
                ["4:20: masquerade[0].destinations[0]: never matches: all of 10.1.0.0/16 is excluded by an entry with \"!\""]
            ),
            ("interface-list-in-one-string", ["6:19: services[0].in-interface: several values in one; write a list: [eth0, eth1]"]),
            ("bare-ipv6", ["4:17: a value that begins or ends with a colon has to be in quotes: \"::1\""]),
            ("bare-section", ["1:10: services: no value; to ask for no rules, write \"services: []\""]),
            ("newline-alone", ["1:1: there is no section; to ask for no rules, write \"services: []\""]),
            ("bom-alone", ["1:1: there is no section; to ask for no rules, write \"services: []\""]),
        ])
    func refused(_ name: String, _ errors: [String]) throws {
        let bytes = Array(try Data(contentsOf: folder.appendingPathComponent(name + ".yaml")))
        do {
            _ = try Configuration.load([ConfigurationText(path: "f", bytes: bytes)])
            Issue.record("\(name) is accepted")
        } catch {
            let found = error.errors.map { "\($0.line):\($0.column): \($0.path.isEmpty ? "" : $0.path + ": ")\($0.message)" }
            #expect(found == errors, "\(name): \(found)")
        }
    }
}
