// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Testing

/// Files of twenty thousand entries of one shape, and what is wrong with them. The bar is a second in release; a debug build takes some
/// ten times as long, and whatever grows faster than n log n takes minutes.
struct Shape: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let errors: Int
    private let make: @Sendable () -> String

    init(_ title: String, errors: Int = 0, _ make: @escaping @Sendable () -> String) {
        (testDescription, self.errors, self.make) = (title, errors, make)
    }

    var text: String { make() }

    private static let count = 20_000

    private static func services(_ entry: @escaping @Sendable (Int) -> String) -> @Sendable () -> String {
        { "services:\n" + (0..<count).map { "  - {name: s\($0), \(entry($0))}\n" }.joined() }
    }

    private static func masquerades(_ entry: @escaping @Sendable (Int) -> String) -> @Sendable () -> String {
        { "masquerade:\n" + (0..<count).map { "  - {name: m\($0), \(entry($0))}\n" }.joined() }
    }

    static let all: [Shape] = [
        Shape(
            "services on one address that differ in interface alone",
            services { "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [80], in-interface: e\($0)" }),
        Shape(
            "services on one address that differ in source alone",
            services { "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [80], sources: [10.\($0 >> 8).\($0 & 255).0/24]" }),
        Shape(
            "services on one address that differ in MAC address alone",
            services {
                "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [80], source-macs: [\"02:00:00:00:\(hex($0 >> 8)):\(hex($0 & 255))\"]"
            }),
        Shape(
            "services on one address that differ in port alone",
            services { "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [\($0 + 1)]" }),
        Shape(
            "services of one mark with port ranges that overlap",
            services { "mark: 1, addresses: [203.0.113.1], tcp: [\($0 + 1)-\($0 + 20000)]" }),
        Shape(
            "services of all marks with port ranges that overlap", errors: 19_999,
            services { "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [\($0 + 1)-\($0 + 20000)]" }),
        Shape(
            "services that are all alike but for the mark", errors: 19_999,
            services { "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [80]" }),
        Shape(
            "services with masks that agree in all bits they share",
            services { "mark: \($0 + 1)/\($0 + 1), addresses: [203.0.113.1], tcp: [80]" }),
        Shape(
            "services with one name", errors: 19_999,
            {
                "services:\n"
                    + (0..<count).map { "  - {name: s, mark: 1, addresses: [10.0.\($0 >> 8).\($0 & 255)], tcp: [80]}\n" }.joined()
            }),
        Shape(
            "services that are everything but one address each", errors: 19_999,
            services { "mark: \($0 + 1), addresses: [\"!10.0.\($0 >> 8).\($0 & 255)\"], tcp: [80]" }),
        Shape(
            "half by source, half by interface, apart by port",
            services {
                $0 % 2 == 0
                    ? "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [80], sources: [10.\($0 >> 8).\($0 & 255).0/24]"
                    : "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [81], in-interface: e\($0)"
            }),
        Shape("services with all wrong marks", errors: count, services { _ in "mark: 0, addresses: [203.0.113.1], tcp: [80]" }),
        Shape(
            "masquerades with one source",
            masquerades { "sources: [10.0.0.0/8], destinations: [10.\($0 >> 8).\($0 & 255).0/24], to: 192.0.2.\($0 & 127)" }),
        Shape("masquerades that are all alike", masquerades { _ in "sources: [10.0.0.0/8]" }),
        Shape(
            "masquerades that never decide", errors: 19_999 - 157,
            masquerades { "sources: [10.0.0.0/8], to: 192.0.2.\($0 % 127)" }),
        Shape(
            "masquerades with port ranges that overlap",
            masquerades { "sources: [10.0.0.0/8], tcp: [\($0 + 1)-\($0 + 20000)], to: 192.0.2.\($0 & 127)" }),
        Shape("a masquerade with many destinations") {
            "masquerade:\n  - {name: m, sources: [10.0.0.0/8], to: 192.0.2.1}\n  - {name: n, sources: [11.0.0.0/8], destinations: ["
                + (0..<count).map { "10.\($0 >> 8).\($0 & 255).0/24" }.joined(separator: ", ") + ", \"!10.0.0.0/30\"]}\n"
        },
        Shape("scattered ports on one address") {
            "services:\n"
                + (0..<2).map { half in
                    "  - {name: s\(half), mark: \(half + 1), addresses: [203.0.113.1], tcp: ["
                        + (0..<16_384).map { "\(4 * $0 + 1 + 2 * half)" }.joined(separator: ", ") + "]}\n"
                }.joined()
        },
        Shape("scattered ports on sixteen addresses") {
            "services:\n"
                + (0..<16).map { part in
                    "  - {name: s\(part), mark: \(part + 1), addresses: [203.0.113.0/28], tcp: ["
                        + (0..<2048).map { "\(32 * $0 + 1 + part)" }.joined(separator: ", ") + "]}\n"
                }.joined()
        },
        Shape("a megabyte of unknown keys", errors: 100_000) { (0..<100_000).map { "key\($0): 1\n" }.joined() },
        Shape("a megabyte of keys that are nearly known", errors: 100_000) {
            "services:\n  - name: a\n" + (0..<99_999).map { "    adresses\($0): 1\n" }.joined() + "    nmae: 1\n"
        },
    ]

    private static func hex(_ byte: Int) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}

@Suite("Files of every shape, however large", .serialized)
struct ShapesTests {
    @Test("Are read or refused in time that grows as n log n", arguments: Shape.all)
    func time(_ shape: Shape) {
        let text = ConfigurationText(path: "f", bytes: Array(shape.text.utf8))
        var count = 0
        let duration = ContinuousClock().measure {
            do throws(ConfigurationErrors) { _ = try Configuration.load([text]) } catch { count = error.count }
        }
        #expect(count == shape.errors)
        #expect(duration < .seconds(15), "\(duration)")
    }
}
