// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Testing

/// Something wrong, and what was meant by it.
struct Advice: Sendable, CustomTestStringConvertible {
    /// The line of a service or of a masquerade.
    let wrong: String
    /// The same as whoever wrote it would have it.
    let meant: String
    var testDescription: String { wrong }

    init(_ wrong: String, _ meant: String) { (self.wrong, self.meant) = (wrong, meant) }

    static let all: [Advice] = [
        Advice("addresses: 203.0.113.20", "addresses: [203.0.113.20]"),
        Advice("addresses: 203.0.113.20, 2001:db8::20", "addresses: [203.0.113.20, '2001:db8::20']"),
        Advice("addresses: ['203.0.113.20,203.0.113.21']", "addresses: [203.0.113.20, 203.0.113.21]"),
        Advice("addresses: [203.0.113.21/24]", "addresses: [203.0.113.0/24]"),
        Advice("addresses: [::1]", "addresses: ['::1']"),
        Advice("addresses: ['::ffff:203.0.113.20']", "addresses: [203.0.113.20]"),
        Advice("mark: 021", "mark: 21"),
        Advice("tcp: 80", "tcp: [80]"),
        Advice("tcp: 80,443", "tcp: [80, 443]"),
        Advice("tcp: [20-10]", "tcp: [10-20]"),
        Advice("tcp: [080]", "tcp: [80]"),
        Advice("in-interface: eth0,eth1", "in-interface: [eth0, eth1]"),
        Advice("in-interface: eth0 eth1", "in-interface: [eth0, eth1]"),
        Advice("in-interface: eth*", "in-interface: eth+"),
        Advice("in-interface: '!eth*'", "in-interface: '!eth+'"),
        Advice("in-interface: ['!eth0,eth1']", "in-interface: ['!eth0', '!eth1']"),
        Advice("in-interface: !eth1", "in-interface: '!eth1'"),
        Advice("in-interface: ! eth1", "in-interface: '!eth1'"),
        Advice("in-interface: [!eth1]", "in-interface: ['!eth1']"),
        Advice("sources: [! 10.0.0.0/8]", "sources: ['!10.0.0.0/8']"),
        Advice("sources: [!10.0.0.0/8]", "sources: ['!10.0.0.0/8']"),
        Advice("sources: [ !10.0.0.0/8, 192.0.2.0/24 ]", "sources: ['!10.0.0.0/8', 192.0.2.0/24]"),
        Advice("sources: ! 10.0.0.0/8", "sources: ['!10.0.0.0/8']"),
        Advice("sources: '!10.0.0.0/8'", "sources: ['!10.0.0.0/8']"),
        Advice("sources: ['!10.11.12.13/8']", "sources: ['!10.0.0.0/8']"),
        Advice("sources: ['!10.0.0.0/8,192.168.0.0/16']", "sources: ['!10.0.0.0/8', '!192.168.0.0/16']"),
        Advice("source-macs: [! 02:00:5e:10:00:02]", "source-macs: ['!02:00:5e:10:00:02']"),
        Advice("protocols: esp", "protocols: [esp]"),
        Advice("hooks: input", "hooks: [input]"),
    ]
}

@Suite("What is advised")
struct AdviceTests {
    @Test("Is accepted, and means what was meant", arguments: Advice.all)
    func means(_ advice: Advice) throws {
        var lines = [
            "name: a", "mark: 1", "addresses: [203.0.113.20]", "tcp: [80]",
        ].filter { $0.prefix { $0 != ":" } != advice.wrong.prefix { $0 != ":" } }
        lines.append(advice.wrong)
        func text(_ last: String) -> String {
            "services:\n  - " + (lines.dropLast() + [last]).joined(separator: "\n    ") + "\n"
        }
        let errors = errorLines([("f", Array(text(advice.wrong).utf8))])
        let error = try #require(errors.first)
        #expect(errors.count == 1)
        var corrected = try #require(correct(advice.wrong, by: error), "\(error)")
        // Where a "!" was without quotes and a list as well, the list is told next.
        if let next = errorLines([("f", Array(text(corrected).utf8))]).first {
            corrected = try #require(correct(corrected, by: next), "\(next)")
        }
        #expect(try load(text(corrected)).configuration == load(text(advice.meant)).configuration, "\(corrected)")
    }

    /// The line as the error says that it should be.
    private func correct(_ line: String, by error: String) -> String? {
        let key = line.prefix { $0 != ":" }
        if let list = error.range(of: "write a list: ") { return "\(key): \(error[list.upperBound...])" }
        if let quoted = error.range(of: "has to be in quotes: ") {
            let value = error[quoted.upperBound...]
            let bare = value.dropFirst().dropLast()
            for candidate in [String(bare), "! " + bare.dropFirst()] where line.contains(candidate) {
                return line.replacingOccurrences(of: candidate, with: value)
            }
        }
        if let write = error.range(of: "; write ") {
            // The first of what can be written, up to a comma or a word.
            let value = error[write.upperBound...].prefix { !", ".contains($0) }
            let isList = line.contains("[")
            return "\(key): \(isList ? "[\(value)]" : String(value))"
        }
        return nil
    }
}
