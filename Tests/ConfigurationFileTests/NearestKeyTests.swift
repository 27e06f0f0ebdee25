// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import ConfigurationFile

@Suite("The nearest known key")
struct NearestKeyTests {
    private static let keys: [StaticString] = ["name", "mark", "addresses", "tcp", "udp", "sctp", "in-interface", "passive-ports"]

    @Test(
        "A key that is a slip away is found",
        arguments: [
            ("nmae", "name"), ("Mark", "mark"), ("marks", "mark"), ("adresses", "addresses"), ("address", "addresses"),
            ("tpc", "tcp"), ("TCP", "tcp"), ("ports", "tcp"), ("vip", "addresses"),
            ("interface", "in-interface"), ("in_interface", "in-interface"), ("passive-port", "passive-ports"),
            ("passiveports", "passive-ports"),
        ])
    func near(_ key: String, _ expected: String) {
        #expect(nearest(key, NearestKeyTests.keys).map { "\(NearestKeyTests.keys[$0])" } == expected)
    }

    @Test(
        "For a key that is like none no guess is made",
        arguments: ["", "poet", "protocol", "x", String(repeating: "mark", count: 100)])
    func far(_ key: String) {
        #expect(nearest(key, NearestKeyTests.keys) == nil)
    }
}
