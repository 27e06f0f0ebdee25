// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Testing

/// Files of many entries of one shape, and what is wrong with them.
struct Shape: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// How many errors a file of so many entries has.
    let errors: @Sendable (Int) -> Int
    /// A file of so many entries.
    let text: @Sendable (Int) -> String

    init(
        _ title: String, errors: @escaping @Sendable (Int) -> Int = { _ in 0 }, _ text: @escaping @Sendable (Int) -> String
    ) {
        (testDescription, self.errors, self.text) = (title, errors, text)
    }

    private static func services(_ entry: @escaping @Sendable (Int) -> String) -> @Sendable (Int) -> String {
        { count in "services:\n" + (0..<count).map { "  - {name: s\($0), \(entry($0))}\n" }.joined() }
    }

    private static func masquerades(_ entry: @escaping @Sendable (Int) -> String) -> @Sendable (Int) -> String {
        { count in "masquerade:\n" + (0..<count).map { "  - {name: m\($0), \(entry($0))}\n" }.joined() }
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
            "services of all marks with port ranges that overlap", errors: { $0 - 1 },
            services { "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [\($0 + 1)-\($0 + 20000)]" }),
        Shape(
            "services that are all alike but for the mark", errors: { $0 - 1 },
            services { "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [80]" }),
        Shape(
            "services with masks that agree in all bits they share",
            services { "mark: \($0 + 1)/\($0 + 1), addresses: [203.0.113.1], tcp: [80]" }),
        Shape(
            "services with one name", errors: { $0 - 1 },
            { count in
                "services:\n"
                    + (0..<count).map { "  - {name: s, mark: 1, addresses: [10.0.\($0 >> 8).\($0 & 255)], tcp: [80]}\n" }.joined()
            }),
        Shape(
            "services that are everything but one address each", errors: { $0 - 1 },
            services { "mark: \($0 + 1), addresses: [\"!10.0.\($0 >> 8).\($0 & 255)\"], tcp: [80]" }),
        Shape(
            "half by source, half by interface, apart by port",
            services {
                $0 % 2 == 0
                    ? "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [80], sources: [10.\($0 >> 8).\($0 & 255).0/24]"
                    : "mark: \($0 + 1), addresses: [203.0.113.1], tcp: [81], in-interface: e\($0)"
            }),
        Shape("services with all wrong marks", errors: { $0 }, services { _ in "mark: 0, addresses: [203.0.113.1], tcp: [80]" }),
        Shape(
            "masquerades with one source",
            masquerades { "sources: [10.0.0.0/8], destinations: [10.\($0 >> 8).\($0 & 255).0/24], to: 192.0.2.\($0 & 127)" }),
        Shape("masquerades that are all alike", masquerades { _ in "sources: [10.0.0.0/8]" }),
        Shape(
            "masquerades that never decide", errors: { $0 - ($0 + 126) / 127 },
            masquerades { "sources: [10.0.0.0/8], to: 192.0.2.\($0 % 127)" }),
        Shape(
            "masquerades with port ranges that overlap",
            masquerades { "sources: [10.0.0.0/8], tcp: [\($0 + 1)-\($0 + 20000)], to: 192.0.2.\($0 & 127)" }),
        Shape("a masquerade with many destinations") { count in
            "masquerade:\n  - {name: m, sources: [10.0.0.0/8], to: 192.0.2.1}\n  - {name: n, sources: [11.0.0.0/8], destinations: ["
                + (0..<count).map { "10.\($0 >> 8).\($0 & 255).0/24" }.joined(separator: ", ") + ", \"!10.0.0.0/30\"]}\n"
        },
        Shape("scattered ports on one address") { count in
            "services:\n"
                + (0..<2).map { half in
                    "  - {name: s\(half), mark: \(half + 1), addresses: [203.0.113.1], tcp: ["
                        + (0..<min(count, 16_384)).map { "\(4 * $0 + 1 + 2 * half)" }.joined(separator: ", ") + "]}\n"
                }.joined()
        },
        Shape("scattered ports on sixteen addresses") { count in
            "services:\n"
                + (0..<16).map { part in
                    "  - {name: s\(part), mark: \(part + 1), addresses: [203.0.113.0/28], tcp: ["
                        + (0..<min(count / 8, 2048)).map { "\(32 * $0 + 1 + part)" }.joined(separator: ", ") + "]}\n"
                }.joined()
        },
        Shape("a megabyte of unknown keys", errors: { 5 * $0 }) { (0..<5 * $0).map { "key\($0): 1\n" }.joined() },
        Shape("a megabyte of keys that are nearly known", errors: { 5 * $0 }) { count in
            "services:\n  - name: a\n" + (0..<5 * count - 1).map { "    adresses\($0): 1\n" }.joined() + "    nmae: 1\n"
        },
    ]

    private static func hex(_ byte: Int) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}

@Suite("Files of every shape, however large", .serialized)
struct ShapesTests {
    /// 20,000 are the bar of a second in release; debug builds take some ten times as long.
    private static let count = getenv("FWMARKD_TEST_LONG") == nil ? 4000 : 20_000

    @Test(
        "Are read or refused in time that grows as n log n: four times as many entries take less than eight times as long",
        arguments: Shape.all)
    func time(_ shape: Shape) {
        let few = (0..<2).map { _ in read(shape, ShapesTests.count / 4) }.min() ?? 0
        let many = read(shape, ShapesTests.count)
        // Sixteen times as long where each pair of entries is looked at.
        #expect(many < 8 * few + 0.05, "\(few) s for a quarter")
    }

    /// - Returns: the seconds of a processor that reading takes: other work on the machine does not count.
    private func read(_ shape: Shape, _ count: Int) -> Double {
        let text = ConfigurationText(path: "f", bytes: Array(shape.text(count).utf8))
        var errors = 0
        let start = processorSeconds()
        do throws(ConfigurationErrors) { _ = try Configuration.load([text]) } catch { errors = error.count }
        let seconds = processorSeconds() - start
        #expect(errors == shape.errors(count))
        return seconds
    }

    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
