package import Rules

/// What of a packet the rules look at.
package struct Packet: Sendable, Hashable {
    /// Its protocol; nil: one without ports, like ICMP.
    package var transport: TransportProtocol?
    /// Where it comes from; of the same family as `destination`.
    package var source: Address
    /// The port it comes from, in host order; of no meaning without a protocol.
    package var sourcePort: UInt16
    /// Where it goes.
    package var destination: Address
    /// The port it goes to, in host order; of no meaning without a protocol.
    package var destinationPort: UInt16
    /// The interface it came in by; nil: not known.
    package var inInterface: String?
    /// The interface it leaves by; nil: not known.
    package var outInterface: String?
    /// The mark that it has already.
    package var mark: UInt32

    /// A packet of these parts.
    package init(
        _ transport: TransportProtocol?, source: Address, sourcePort: UInt16 = 0, destination: Address, destinationPort: UInt16 = 0,
        inInterface: String? = nil, outInterface: String? = nil, mark: UInt32 = 0
    ) {
        self.transport = transport
        self.source = source
        self.sourcePort = sourcePort
        self.destination = destination
        self.destinationPort = destinationPort
        self.inInterface = inInterface
        self.outInterface = outInterface
        self.mark = mark
    }
}

extension Rule {
    /// Whether the packet is what the rule's matches ask for, the interfaces left aside.
    func matchesAnywhere(_ packet: Packet) -> Bool {
        (destination?.matches(packet.destination) ?? true) && (source?.matches(packet.source) ?? true)
            && (transport?.matches(packet.transport, source: packet.sourcePort, destination: packet.destinationPort) ?? true)
    }

    /// Whether the interfaces are those that the rule asks for; nil: it asks for one that is not known.
    func matchesInterfaces(_ packet: Packet) -> Bool? {
        let into = Rule.matches(inInterface, packet.inInterface)
        let out = Rule.matches(outInterface, packet.outInterface)
        if into == false || out == false { return false }
        return into == nil || out == nil ? nil : true
    }

    private static func matches(_ pattern: InterfacePattern?, _ interface: String?) -> Bool? {
        guard let pattern, pattern.unlessAny != nil else { return true }
        return interface.map { pattern.matches($0) }
    }
}
