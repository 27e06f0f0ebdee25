// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Testing

/// An example in fwmarkd.yaml(5): lines of an entry, and the rules that it says they become.
struct ManualExample: Sendable, CustomTestStringConvertible {
    let section: String
    /// Whether the lines belong under `active:`.
    let isActive: Bool
    let text: [String]
    let rules: [String]
    var testDescription: String { "\(section): \(text.joined(separator: ", "))" }

    /// The manual's lines.
    private static let manual: [String] = {
        let path = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../docs/fwmarkd.yaml.5").standardized
        return ((try? String(contentsOf: path, encoding: .utf8)) ?? "").components(separatedBy: "\n")
    }()

    static let all: [ManualExample] = {
        var found: [ManualExample] = []
        var (section, isActive, block): (String, Bool, [String]?) = ("", false, nil)
        for line in manual {
            if line.hasPrefix(".Ss ") || line.hasPrefix(".Sh ") { (section, isActive) = (String(line.dropFirst(4)), false) }
            if line == ".It Cm active :" { isActive = true }
            if line == ".Bd -literal -offset indent" {
                block = []
            } else if line == ".Ed", let lines = block {
                let parts = lines.split(separator: "", maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
                found.append(
                    ManualExample(
                        section: section, isActive: isActive, text: parts[0], rules: parts.count > 1 ? unfolded(parts[1]) : []))
                block = nil
            } else {
                block?.append(line)
            }
        }
        return found
    }()

    /// The keys that the manual tells of in the section.
    static func keys(of section: String) -> Set<String> {
        var (current, keys): (String, Set<String>) = ("", [])
        for line in manual {
            if line.hasPrefix(".Ss ") { current = String(line.dropFirst(4)) }
            guard current == section, line.hasPrefix(".It Cm ") else { continue }
            let names = line.dropFirst(7).prefix { $0 != ":" }.split { $0 == " " || $0 == "," }
            keys.formUnion(names.map(String.init))
        }
        return keys
    }

    private static func unfolded(_ lines: [String]) -> [String] {
        lines.reduce(into: []) { rules, line in
            if line.hasPrefix("    "), let last = rules.popLast() {
                rules.append(last + " " + line.drop { $0 == " " })
            } else {
                rules.append(line)
            }
        }
    }

    var keys: Set<String> {
        Set(text.filter { !$0.hasPrefix(" ") }.compactMap { $0.split(separator: ":").first.map(String.init) })
    }

    /// The file that the example is part of, with what it does not say as in the manual's other examples.
    var file: String {
        func missing(_ pairs: KeyValuePairs<String, String>) -> [String] {
            pairs.filter { !keys.contains($0.key) }.map { "\($0.key): \($0.value)" }
        }
        func entry(_ lines: [String]) -> String { "  - " + lines.joined(separator: "\n    ") + "\n" }
        switch section {
        case "ftp":
            let head = missing([
                "name": "ftp", "mark": "21", "addresses": "[203.0.113.10]", "passive-ports": "10000-20000",
            ])
            guard isActive else { return "ftp:\n" + entry(head + text) }
            let active = (missing(["real-servers": "[10.11.12.0/24]"]) + text).map { "  \($0)" }
            return "ftp:\n" + entry(head + ["active:"] + active)
        case "services":
            let hasTraffic = !keys.isDisjoint(with: ["tcp", "udp", "sctp", "protocols"])
            let head = missing(["name": "web", "mark": "80", "addresses": "[203.0.113.20]"])
            return "services:\n" + entry(head + (hasTraffic ? [] : ["tcp: [80]"]) + text)
        case "masquerade":
            return "services:\n" + entry(["name: web", "mark: 80", "addresses: [203.0.113.20]", "tcp: [80]"]) + "masquerade:\n"
                + entry(missing(["name": "real-servers"]) + text)
        // Settings alone are no file.
        case "daemon": return text.joined(separator: "\n") + "\nservices: []\n"
        default: return text.joined(separator: "\n") + "\n"
        }
    }
}

@Suite("The manual of the file")
struct ManualTests {
    @Test("Each example becomes the rules that the manual shows", arguments: ManualExample.all.filter { !$0.rules.isEmpty })
    func rules(_ example: ManualExample) throws {
        let loaded = try Configuration.load([ConfigurationText(path: "f", bytes: Array(example.file.utf8))])
        let tables = lines(loaded.configuration, comments: false).filter {
            $0.hasPrefix("-A fwmarkd-") && !$0.hasPrefix("-A fwmarkd-hold")
        }
        // A translation's example shows translations, a mark's shows marks.
        let shown = Set(example.rules.compactMap { $0.split(separator: " ").dropFirst().first.map { $0.prefix(12) } })
        #expect(tables.filter { line in shown.contains { line.dropFirst(3).hasPrefix($0) } } == example.rules, "\(example.file)")
    }

    @Test("Each whole file in it is right", arguments: ManualExample.all.filter { ["daemon", "EXAMPLES"].contains($0.section) })
    func whole(_ example: ManualExample) {
        #expect(throws: Never.self, "\(example.file)") {
            try Configuration.load([ConfigurationText(path: "f", bytes: Array(example.file.utf8))])
        }
    }

    @Test("Each key of the language is in it, and in an example", arguments: ["daemon", "ftp", "services", "masquerade"])
    func keys(_ section: String) {
        let words: Set<String> =
            switch section {
            case "daemon": ["on-drift", "on-stop", "hook-position", "check-interval", "lock-timeout", "http-listen"]
            case "ftp":
                [
                    "name", "mark", "addresses", "control-port", "passive-ports", "forwarding", "active", "real-servers",
                    "data-port",
                    "to",
                ]
            case "services":
                [
                    "name", "mark", "addresses", "tcp", "udp", "sctp", "protocols", "sources", "source-macs", "in-interface",
                    "hooks",
                ]
            default:
                [
                    "name", "sources", "services", "tcp", "udp", "sctp", "destination-tcp", "destination-udp", "destination-sctp",
                    "destinations", "out-interface", "to", "random",
                ]
            }
        #expect(ManualExample.keys(of: section) == words)
        let examples = ManualExample.all.filter { $0.section == section || $0.section == "EXAMPLES" }
        let shown = examples.flatMap(\.text).joined(separator: "\n")
        // What is said of all transports together has an example of one.
        for word in words where !["sctp", "destination-udp", "destination-sctp"].contains(word) {
            #expect(shown.contains("\(word):"), "\(word)")
        }
    }
}
