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
        Advice("hooks: [INPUT]", "hooks: [input]"),
        Advice("sources: 10.0.0.1/8", "sources: [10.0.0.0/8]"),
        Advice("sources: 10.0.0.1-10.0.0.3", "sources: [10.0.0.1, 10.0.0.2/31]"),
        Advice("sources: [10.0.0.0-10.255.255.255]", "sources: [10.0.0.0/8]"),
        Advice("sources: ['!10.0.0.0-10.0.0.255']", "sources: ['!10.0.0.0/24']"),
        Advice("sources: [10.0.0.0/255.0.0.0]", "sources: [10.0.0.0/8]"),
        Advice("sources: ['!10.0.0.0/255.0.0.0']", "sources: ['!10.0.0.0/8']"),
        Advice("sources: ['10.0.0.0/8 192.168.0.0/16']", "sources: [10.0.0.0/8, 192.168.0.0/16]"),
        Advice("sources: not 10.0.0.0/8", "sources: ['!10.0.0.0/8']"),
        Advice("sources: [not 10.0.0.0/8]", "sources: ['!10.0.0.0/8']"),
        Advice("sources: !10.0.0.0/8, !192.168.0.0/16", "sources: ['!10.0.0.0/8', '!192.168.0.0/16']"),
        Advice("sources: ! 10.0.0.0/8, ! 192.168.0.0/16", "sources: ['!10.0.0.0/8', '!192.168.0.0/16']"),
        Advice("addresses: 2001:db8::", "addresses: ['2001:db8::']"),
        Advice("addresses: ['[2001:db8::1]']", "addresses: ['2001:db8::1']"),
        Advice("addresses: ['203.0.113.0/24', '!::ffff:203.0.113.9']", "addresses: [203.0.113.0/24, '!203.0.113.9']"),
        Advice("source-macs: 2:0:5e:10:0:2", "source-macs: ['02:00:5e:10:00:02']"),
        Advice("source-macs: [02-00-5E-10-00-02]", "source-macs: ['02:00:5e:10:00:02']"),
        Advice("source-macs: ['!0200.5e10.0002']", "source-macs: ['!02:00:5e:10:00:02']"),
        Advice(
            "source-macs: ['02:00:5e:10:00:02 02:00:5e:10:00:03']", "source-macs: ['02:00:5e:10:00:02', '02:00:5e:10:00:03']"),
        Advice("in-interface: not eth0", "in-interface: '!eth0'"),
        Advice("in-interface: eth0@if5", "in-interface: eth0"),
        Advice("in-interface: [eth0:1]", "in-interface: [eth0]"),
        Advice("tcp: ['80,443']", "tcp: [80, 443]"),
        Advice("tcp: [80 443]", "tcp: [80, 443]"),
        Advice("tcp: ['80:90']", "tcp: [80-90]"),
        Advice("tcp: ['80 - 90']", "tcp: [80-90]"),
        Advice("tcp: [80..90]", "tcp: [80-90]"),
        Advice("tcp: ['1024-']", "tcp: [1024-65535]"),
        Advice("tcp: [all]", "tcp: any"),
        Advice("tcp: [any]", "tcp: any"),
        Advice("protocols: [ESP]", "protocols: [esp]"),
        Advice("protocols: ['esp,ah']", "protocols: [esp, ah]"),
        Advice("protocols: ['esp ah gre']", "protocols: [esp, ah, gre]"),
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
        // What is advised may be told more of: that it has to be in quotes, then that it has to be a list.
        var line = advice.wrong
        for round in 0..<4 {
            let errors = errorLines([("f", Array(text(line).utf8))])
            guard let error = errors.first else { break }
            #expect(errors.count == 1 && round < 3, "\(line): \(errors)")
            line = try #require(correct(line, by: error), "\(error)")
        }
        #expect(line != advice.wrong)
        #expect(try load(text(line)).configuration == load(text(advice.meant)).configuration, "\(line)")
    }

    /// The line as the error says that it should be.
    private func correct(_ line: String, by error: String) -> String? {
        let key = line.prefix { $0 != ":" }
        if let list = error.range(of: "write a list: ") { return "\(key): \(error[list.upperBound...])" }
        if let values = error.range(of: "each has to be an entry of its own: ") {
            return "\(key): [\(error[values.upperBound...])]"
        }
        if error.contains("write any, alone") { return "\(key): any" }
        if let quoted = error.range(of: "has to be in quotes: ") {
            let value = error[quoted.upperBound...]
            let bare = value.dropFirst().dropLast()
            for candidate in [String(bare), "! " + bare.dropFirst()] where line.contains(candidate) {
                return line.replacingOccurrences(of: candidate, with: value)
            }
        }
        guard let write = error.range(of: "; write ") else { return nil }
        // What can be written, without what else could be and what it is for.
        var value = String(error[write.upperBound...])
        for end in [", or ", " for "] { value = value.range(of: end).map { String(value[..<$0.lowerBound]) } ?? value }
        let isList = line.contains("[")
        // Of a list of two, the one that is quoted in the error.
        if let wrong = line.firstRange(of: /'![^']*'/), line.contains(", ") {
            return line.replacingCharacters(in: wrong, with: value)
        }
        return "\(key): \(isList ? "[\(value)]" : value)"
    }
}
