// SPDX-License-Identifier: GPL-2.0-or-later
/// One of the matches of a rule (`-m …`), as far as it is known; the rest are bytes.
package enum Condition: Sendable, Hashable {
    /// Ports of TCP, UDP, SCTP (their own matches, or multiport). A kernel match with source and destination ports is two conditions.
    case ports(PortMatch)
    /// TCP: of the flags in `examined` exactly those in `set` are set (`--tcp-flags`); bits as in the TCP header.
    case tcpFlags(examined: UInt8, set: UInt8, isInverted: Bool)
    /// ICMP or ICMPv6: the type (255 in IPv4: any) and its codes.
    case icmp(type: UInt8, codes: ClosedRange<UInt8>, isInverted: Bool)
    /// The packet's mark (`-m mark`).
    case mark(MarkMatch)
    /// The connection's mark (`-m connmark`).
    case connectionMark(MarkMatch)
    /// The sender's hardware address (`-m mac`).
    case mac(MACAddress, isInverted: Bool)
    /// The connection's state (`-m state`, `-m conntrack --ctstate`).
    case connectionState(ConnectionStates, isInverted: Bool)
    /// The kind of the addresses, by the routing table (`-m addrtype`).
    case addressType(AddressTypeMatch)
    /// A range of addresses (`-m iprange`); a kernel match with both sides is two conditions.
    case addressRange(side: AddressSide, first: Address, last: Address, isInverted: Bool)
    /// Membership in an IP set (`-m set`), which the kernel names by its index.
    case set(index: UInt16, dimensions: UInt8, flags: UInt8, isInverted: Bool)
    /// Any other match, as the kernel has it.
    case other(ExtensionBytes)
}

/// A match or target that we cannot express.
package struct ExtensionBytes: Sendable, Hashable {
    /// Its name in the kernel: `policy`, `hashlimit`, `TPROXY`.
    package let name: String
    /// Its revision.
    package let revision: UInt8
    /// Its data as the kernel has it, in the machine's byte order.
    package let bytes: [UInt8]

    /// The match or target of these parts.
    package init(name: String, revision: UInt8, bytes: [UInt8]) {
        (self.name, self.revision, self.bytes) = (name, revision, bytes)
    }
}

extension ExtensionBytes {
    /// `-m ah` of IPv6, any security parameter index: `struct ip6t_ah`, `<linux/netfilter_ipv6/ip6t_ah.h>`. To IPv6 tables the
    /// protocol is what comes after all headers, of which AH is one: `-p ah` never matches there.
    package static let authenticationHeader = ExtensionBytes(
        name: "ah", revision: 0, bytes: [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff] + [0, 0, 0, 0] + [0, 0, 0, 0])
}

/// Which of a packet's two addresses.
package enum AddressSide: Sendable, Hashable, CaseIterable { case source, destination }

/// Ports that a rule asks for.
package struct PortMatch: Sendable, Hashable {
    /// Which of the packet's ports.
    package enum Side: Sendable, Hashable, CaseIterable {
        case source, destination
        /// One of the two (`multiport --ports`).
        case either
    }

    /// Which of the packet's ports.
    package let side: Side
    /// The ports; at least one range.
    package let ranges: [PortRange]
    /// Whether all other ports match.
    package let isInverted: Bool
    /// Whether it is a multiport match, of up to 15 slots, where a range takes two; else the protocol's own, of one range.
    package let isMultiport: Bool

    /// How many slots a multiport match has (`XT_MULTI_PORTS`, `<linux/netfilter/xt_multiport.h>`).
    package static let multiportSlots = 15

    /// How many slots of a multiport match a range takes: one for a port, two for more.
    package static func slots(of range: PortRange) -> Int { range.lower == range.upper ? 1 : 2 }

    /// The ports on that side; a multiport match where there are several ranges.
    package init(_ side: Side, _ ranges: [PortRange], isInverted: Bool = false, isMultiport: Bool? = nil) {
        self.side = side
        self.ranges = ranges
        self.isInverted = isInverted
        self.isMultiport = isMultiport ?? (ranges.count > 1 || side == .either)
    }

    /// Whether a packet with these ports matches.
    package func matches(source: UInt16, destination: UInt16) -> Bool {
        let isInside = ranges.contains { range in
            switch side {
            case .source: range.contains(source)
            case .destination: range.contains(destination)
            case .either: range.contains(source) || range.contains(destination)
            }
        }
        return isInside != isInverted
    }
}

/// A mark that a rule asks for: `mark & mask == value`, or not.
package struct MarkMatch: Sendable, Hashable {
    /// The value under the mask.
    package let value: UInt32
    /// The bits that count.
    package let mask: UInt32
    /// Whether all other marks match.
    package let isInverted: Bool

    /// The marks whose bits under `mask` are `value`.
    package init(value: UInt32, mask: UInt32 = .max, isInverted: Bool = false) {
        (self.value, self.mask, self.isInverted) = (value, mask, isInverted)
    }

    /// Whether the mark matches.
    package func matches(_ mark: UInt32) -> Bool { (mark & mask == value) != isInverted }
}

/// States of a connection, as bits of `XT_CONNTRACK_STATE_*` (`<linux/netfilter/xt_conntrack.h>`).
package struct ConnectionStates: OptionSet, Sendable, Hashable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    /// Not to be followed.
    package static let invalid = ConnectionStates(rawValue: 1 << 0)
    /// Packets of a connection that has seen both directions.
    package static let established = ConnectionStates(rawValue: 1 << 1)
    /// The first packets of a connection that another one announced.
    package static let related = ConnectionStates(rawValue: 1 << 2)
    /// The first packets of a connection.
    package static let new = ConnectionStates(rawValue: 1 << 3)
    /// The source was translated.
    package static let sourceTranslated = ConnectionStates(rawValue: 1 << 6)
    /// The destination was translated.
    package static let destinationTranslated = ConnectionStates(rawValue: 1 << 7)
    /// Exempt from connection tracking.
    package static let untracked = ConnectionStates(rawValue: 1 << 8)
}

/// Kinds of addresses that a rule asks for, each set as bits `1 << RTN_*` (`<linux/rtnetlink.h>`).
package struct AddressTypeMatch: Sendable, Hashable {
    /// The kinds of the source; zero: not asked.
    package var source: UInt16
    /// The kinds of the destination; zero: not asked.
    package var destination: UInt16
    /// Whether all other kinds of source match.
    package var isSourceInverted: Bool
    /// Whether all other kinds of destination match.
    package var isDestinationInverted: Bool
    /// The interface whose addresses count, as the kernel's flags say (`--limit-iface-in`, `--limit-iface-out`).
    package var limitFlags: UInt32

    /// A match of these parts.
    package init(
        source: UInt16 = 0, destination: UInt16 = 0, isSourceInverted: Bool = false, isDestinationInverted: Bool = false,
        limitFlags: UInt32 = 0
    ) {
        self.source = source
        self.destination = destination
        self.isSourceInverted = isSourceInverted
        self.isDestinationInverted = isDestinationInverted
        self.limitFlags = limitFlags
    }
}
