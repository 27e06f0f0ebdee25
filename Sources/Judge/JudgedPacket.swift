// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A packet, as far as it is known.
package struct JudgedPacket: Sendable, Hashable {
    /// Its family.
    package var family: Family
    /// Its addresses; nil: not known. This holds for all that follows.
    package var source, destination: Address?
    /// Its protocol.
    package var protocolNumber: UInt8?
    /// Its ports. Only TCP, UDP and SCTP have some.
    package var sourcePort, destinationPort: UInt16?
    /// The interfaces it came in by and leaves by.
    package var inInterface, outInterface: String?
    /// Whether it is a second or further fragment, which has no ports.
    package var isFurtherFragment: Bool? = false
    /// Its mark.
    package var mark = PartialMark(0)
    /// Its connection's mark.
    package var connectionMark = PartialMark(0)
    /// The state of its connection, one bit; the packet that opens one is `new`.
    package var state: ConnectionStates? = .new
    /// Whether its connection's destination and source are translated, as the conntrack states DNAT and SNAT ask. The packet that opens
    /// one meets the rules of nat first.
    package var isDestinationTranslated: Bool? = false, isSourceTranslated: Bool? = false
    /// The sender's hardware address.
    package var mac: MACAddress?
    /// Whether it came in an Ethernet frame; false: by a tunnel, by lo, or from this machine, and no match of senders takes it.
    package var isFromEthernet = true
    /// TCP's flags, as in its header.
    package var tcpFlags: UInt8?
    /// ICMP's type and code.
    package var icmp: (type: UInt8, code: UInt8)? {
        get { icmpNumber.map { (UInt8($0 >> 8), UInt8($0 & 255)) } }
        set { icmpNumber = newValue.map { UInt16($0.type) << 8 | UInt16($0.code) } }
    }
    /// What else is known: how conditions turn out that nothing above decides.
    package var answers: [Condition: Bool] = [:]

    var icmpNumber: UInt16?

    /// Gives it the destination; one of several is not known. A port stays where no ports are given (`nf_nat_l4proto_unique_tuple` in
    /// `net/netfilter/nf_nat_core.c`).
    mutating func redirect(to range: DestinationRange) {
        let before = (destination, destinationPort)
        if let first = range.first { destination = first == range.last ? first : nil }
        if let ports = range.options.ports { destinationPort = ports.lower == ports.upper ? ports.lower : nil }
        // What it has already is no translation.
        if (destination, destinationPort) != before { isDestinationTranslated = destination == nil ? nil : true }
    }

    /// A packet of the family, of which no more is known than that it is whole, bears no mark and opens a connection.
    package init(_ family: Family) { self.family = family }
}
