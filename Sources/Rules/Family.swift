// SPDX-License-Identifier: GPL-2.0-or-later
/// An address family with netfilter tables of its own.
package enum Family: String, Sendable, Hashable, Comparable, CaseIterable, Codable {
    /// Internet Protocol version 4.
    case ipv4
    /// Internet Protocol version 6.
    case ipv6

    /// How many bits an address has: 32 or 128.
    package var bitWidth: Int { self == .ipv4 ? 32 : 128 }

    /// The program whose syntax the family's rules are shown in: `iptables` or `ip6tables`.
    package var command: String { self == .ipv4 ? "iptables" : "ip6tables" }

    /// IPv4 before IPv6.
    package static func < (left: Family, right: Family) -> Bool { left == .ipv4 && right == .ipv6 }
}
