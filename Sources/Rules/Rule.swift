/// A rule of netfilter: what a packet must be like, and what then happens to it.
///
/// The type holds exactly the rules that fwmarkd makes, and so all that it must recognise as its own. Other
/// people's rules that do not fit stay opaque (`Netfilter.KernelRule`).
package struct Rule: Sendable, Hashable {
    /// Where the packet comes from; nil: anywhere.
    package var source: AddressMatch?
    /// Where it goes; nil: anywhere.
    package var destination: AddressMatch?
    /// The interface it came in by; nil: any.
    package var inInterface: InterfacePattern?
    /// The interface it leaves by; nil: any.
    package var outInterface: InterfacePattern?
    /// Protocol and ports; nil: any protocol.
    package var transport: TransportMatch?
    /// A remark for people, at most 255 bytes.
    package var comment: String?
    /// What happens to a packet that fits.
    package var target: Target

    /// A rule of the given parts; those left out match every packet.
    package init(
        source: AddressMatch? = nil,
        destination: AddressMatch? = nil,
        inInterface: InterfacePattern? = nil,
        outInterface: InterfacePattern? = nil,
        transport: TransportMatch? = nil,
        comment: String? = nil,
        target: Target
    ) {
        self.source = source
        self.destination = destination
        self.inInterface = inInterface
        self.outInterface = outInterface
        self.transport = transport
        self.comment = comment
        self.target = target
    }
}

/// A block of addresses, or everything but that block.
package struct AddressMatch: Sendable, Hashable {
    /// The block.
    package let prefix: Prefix
    /// Whether the addresses outside the block are meant.
    package let isInverted: Bool

    /// The addresses of the block, or with `isInverted` all others of its family.
    package init(_ prefix: Prefix, isInverted: Bool = false) {
        self.prefix = prefix
        self.isInverted = isInverted
    }

    /// A prefix, with `!` before it for everything else.
    ///
    /// - Throws: `InvalidValue` as `Prefix.init(parsing:)` does.
    package init(parsing text: String) throws(InvalidValue) {
        let isInverted = text.utf8.first == UInt8(ascii: "!")
        // By bytes: to Swift a "!" and an accent behind it are one character.
        let body = isInverted ? String(decoding: text.utf8.dropFirst().drop { $0 == UInt8(ascii: " ") }, as: UTF8.self) : text
        self.init(try Prefix(parsing: body), isInverted: isInverted)
    }

    /// Whether the address fits.
    package func matches(_ address: Address) -> Bool {
        address.family == prefix.family && prefix.contains(address) != isInverted
    }
}

/// A protocol and the ports of one side.
package struct TransportMatch: Sendable, Hashable {
    /// The protocol.
    package let transport: TransportProtocol
    /// Which ports of it.
    package let ports: Ports

    /// The ports of a `TransportMatch`.
    package enum Ports: Sendable, Hashable {
        /// Every packet of the protocol; no match of ports at all.
        case any
        /// The source port lies in the range: the protocol's own match, `--sport`.
        case source(PortRange)
        /// The destination port lies in the range: the protocol's own match, `--dport`.
        case destination(PortRange)
        /// The source port lies in one of the ranges: `-m multiport --sports`.
        case sources([PortRange])
        /// The destination port lies in one of the ranges: `-m multiport --dports`.
        case destinations([PortRange])
    }

    /// How many slots a multiport match has; a range takes two (`XT_MULTI_PORTS` of `<linux/netfilter/xt_multiport.h>`).
    package static let multiportSlots = 15

    /// Packets of the protocol with these ports.
    package init(_ transport: TransportProtocol, _ ports: Ports) {
        self.transport = transport
        self.ports = ports
    }

    /// Whether a packet of the protocol with these ports, in host order, fits.
    package func matches(_ transport: TransportProtocol?, source: UInt16, destination: UInt16) -> Bool {
        guard transport == self.transport else { return false }
        return switch ports {
        case .any: true
        case .source(let range): range.contains(source)
        case .destination(let range): range.contains(destination)
        case .sources(let ranges): ranges.contains { $0.contains(source) }
        case .destinations(let ranges): ranges.contains { $0.contains(destination) }
        }
    }

    /// How many slots of a multiport match the range takes: a port one, a range two.
    package static func slots(of range: PortRange) -> Int { range.lower == range.upper ? 1 : 2 }
}

/// What a rule does with a packet.
package enum Target: Sendable, Hashable {
    /// Sets the packet's mark and goes on with the next rule.
    case mark(Mark)
    /// Translates the source to the outgoing interface's primary address; ends the traversal of the table.
    case masquerade
    /// Translates the source to the address; ends the traversal of the table.
    case sourceNAT(Address)
    /// Goes through the chain, and on with the next rule when the chain ends.
    case jump(ChainName)
    /// Goes through the chain instead of the rest of this one.
    case goTo(ChainName)
    /// Ends this chain; the packet goes on where it was entered from.
    case returnToCaller
    /// Ends the traversal of the table.
    case accept
    /// Throws the packet away.
    case drop

    /// The chain that the target leads to.
    package var chain: ChainName? {
        switch self {
        case .jump(let chain), .goTo(let chain): chain
        default: nil
        }
    }
}
