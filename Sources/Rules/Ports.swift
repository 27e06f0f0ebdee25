// SPDX-License-Identifier: GPL-2.0-or-later
/// A transport protocol with ports.
package enum TransportProtocol: String, Sendable, Hashable, CaseIterable, Codable {
    case tcp
    case udp
    case sctp

    /// The protocol's number in the IP header (IANA's registry of assigned Internet protocol numbers).
    package var number: UInt8 {
        switch self {
        case .tcp: 6
        case .udp: 17
        case .sctp: 132
        }
    }

    /// The protocol of a number in the IP header; nil for one without ports.
    package init?(number: UInt8) {
        guard let found = TransportProtocol.allCases.first(where: { $0.number == number }) else { return nil }
        self = found
    }
}

/// An inclusive range of ports, in host order.
package struct PortRange: Sendable, Hashable, Comparable {
    /// The first port.
    package let lower: UInt16
    /// The last port; not below `lower`.
    package let upper: UInt16

    /// All ports.
    package static let all = PortRange(0, 65535)

    /// The one port.
    package init(_ port: UInt16) {
        self.lower = port
        self.upper = port
    }

    /// The ports from `lower` to `upper`.
    ///
    /// - Precondition: `lower` is not above `upper`.
    package init(_ lower: UInt16, _ upper: UInt16) {
        precondition(lower <= upper)
        self.lower = lower
        self.upper = upper
    }

    /// A port (`21`) or a range (`10000-20000`) of ports from 1 to 65535.
    ///
    /// - Throws: `InvalidValue` for anything else; a range is never turned round.
    package init(parsing text: String) throws(InvalidValue) {
        let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let lower = try PortRange.port(halves[0], of: text)
        let upper = halves.count == 1 ? lower : try PortRange.port(halves[1], of: text)
        guard lower <= upper else {
            throw InvalidValue("the range \"\(text)\" is reversed", advice: "write \(upper)-\(lower)")
        }
        self.init(lower, upper)
    }

    private static func port(_ digits: Substring, of text: String) throws(InvalidValue) -> UInt16 {
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(digits), port > 0
        else {
            throw InvalidValue(
                "invalid port or range \"\(text)\"", advice: "ports are 1 to 65535, ranges like 10000-20000")
        }
        guard digits.first != "0" else { throw .leadingZero(text, "\(port)") }
        return port
    }

    /// Whether the port lies in the range.
    package func contains(_ port: UInt16) -> Bool { lower <= port && port <= upper }

    /// Whether some port lies in both ranges.
    package func overlaps(_ other: PortRange) -> Bool { lower <= other.upper && other.lower <= upper }

    /// The same ports in as few ranges as can be, in order: what overlaps or touches becomes one.
    package static func merged(_ ranges: [PortRange]) -> [PortRange] {
        guard ranges.count > 1 else { return ranges }
        var merged: [PortRange] = []
        for range in ranges.sorted() {
            if let last = merged.last, Int(range.lower) <= Int(last.upper) + 1 {
                merged[merged.count - 1] = PortRange(last.lower, max(last.upper, range.upper))
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    /// By first port, then by last.
    package static func < (left: PortRange, right: PortRange) -> Bool {
        (left.lower, left.upper) < (right.lower, right.upper)
    }
}

extension PortRange: CustomStringConvertible {
    /// As the configuration file writes it: `21` or `10000-20000`.
    package var description: String { lower == upper ? "\(lower)" : "\(lower)-\(upper)" }

    /// As iptables writes it: `21` or `10000:20000`.
    package var iptablesSyntax: String { lower == upper ? "\(lower)" : "\(lower):\(upper)" }
}
