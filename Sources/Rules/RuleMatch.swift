// SPDX-License-Identifier: GPL-2.0-or-later
/// What a rule asks of a packet: the head of a kernel entry, and its matches in their order. One type for our rules and for other
/// programs'.
package struct RuleMatch: Sendable, Hashable {
    /// Where the packet comes from; nil: anywhere.
    package var source: AddressMatch?
    /// Where the packet goes; nil: anywhere.
    package var destination: AddressMatch?
    /// The interface it came in by; nil: any.
    package var inInterface: InterfaceMatch?
    /// The interface it leaves by; nil: any.
    package var outInterface: InterfaceMatch?
    /// Its protocol; nil: any.
    package var transport: ProtocolMatch?
    /// IPv4 alone. True: second and further fragments (`-f`); false: all but those (`! -f`); nil: not asked.
    package var isFurtherFragment: Bool?
    /// What else is asked, in the order of the entry. Comments are not among them.
    package var conditions: [Condition]

    /// A match of these parts; without any, every packet matches.
    package init(
        source: AddressMatch? = nil, destination: AddressMatch? = nil, inInterface: InterfaceMatch? = nil,
        outInterface: InterfaceMatch? = nil, transport: ProtocolMatch? = nil, isFurtherFragment: Bool? = nil,
        conditions: [Condition] = []
    ) {
        self.source = source
        self.destination = destination
        self.inInterface = inInterface
        self.outInterface = outInterface
        self.transport = transport
        self.isFurtherFragment = isFurtherFragment
        self.conditions = conditions
    }

    /// Whether every packet matches.
    package var isUnconditional: Bool { self == RuleMatch() }
}

/// The interface that a rule asks for: a name or the beginning of one, or any other (`! -i eth0`).
package struct InterfaceMatch: Sendable, Hashable {
    /// The name or its beginning.
    package let pattern: InterfacePattern
    /// Whether the packets of all other interfaces match.
    package let isInverted: Bool

    /// Packets of the interfaces of the pattern; inverted: of all others.
    package init(_ pattern: InterfacePattern, isInverted: Bool = false) {
        (self.pattern, self.isInverted) = (pattern, isInverted)
    }

    /// Whether packets of the interface match.
    package func matches(_ interface: String) -> Bool { pattern.matches(interface) != isInverted }
}

/// The protocol that a rule asks for, by its number (IANA, "Assigned Internet Protocol Numbers"), or any other (`! -p tcp`).
package struct ProtocolMatch: Sendable, Hashable {
    /// The protocol's number: 6 for TCP, 50 for ESP. IPv6 tables can ask for 0, hop-by-hop options, IPv4 tables cannot.
    package let number: UInt8
    /// Whether the packets of all other protocols match.
    package let isInverted: Bool

    /// Packets of the protocol; inverted: of all others.
    package init(_ number: UInt8, isInverted: Bool = false) {
        (self.number, self.isInverted) = (number, isInverted)
    }

    /// Packets of the protocol with ports.
    package init(_ transport: TransportProtocol) { self.init(transport.number) }

    /// Whether packets of the protocol match.
    package func matches(_ number: UInt8) -> Bool { (number == self.number) != isInverted }
}
