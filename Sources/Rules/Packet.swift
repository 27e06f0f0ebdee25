/// What of a packet rules look at, as far as it is known.
package struct Packet: Sendable, Hashable {
    /// The sender's hardware address.
    package enum Sender: Sendable, Hashable {
        /// It is not known whether there is one.
        case unknown
        /// It has none: it came from a tunnel, by `lo`, or from this machine.
        case none
        /// It came in a frame with this source.
        case address(MACAddress)
    }

    /// Its protocol's number in the IP header; of IPv6 that after all extension headers.
    package var protocolNumber: UInt8
    /// Where it comes from; of the same family as `destination`.
    package var source: Address
    /// The port it comes from; of no meaning to protocols without ports and in further fragments.
    package var sourcePort: UInt16
    /// Where it goes.
    package var destination: Address
    /// The port it goes to; of no meaning to protocols without ports and in further fragments.
    package var destinationPort: UInt16
    /// The interface it came in by; nil: not known, empty: none.
    package var inInterface: String?
    /// The interface it leaves by; nil: not known, empty: none.
    package var outInterface: String?
    /// The sender's hardware address.
    package var sender = Sender.unknown
    /// Whether it is a fragment other than the first. Where connections are tracked no rule meets any.
    package var isFurtherFragment = false
    /// IPv6: whether it has an authentication header, which is its protocol in IPv4.
    package var isAuthenticated: Bool
    /// The packet's mark; nil: not known.
    package var mark: UInt32?
    /// Its connection's mark; nil: not known.
    package var connectionMark: UInt32?
    /// Its connection's state, one of them; nil: not known.
    package var connectionState: ConnectionStates?

    /// A packet of these parts.
    package init(
        protocolNumber: UInt8, source: Address, sourcePort: UInt16 = 0, destination: Address, destinationPort: UInt16 = 0,
        inInterface: String? = nil, outInterface: String? = nil, mark: UInt32? = 0
    ) {
        self.protocolNumber = protocolNumber
        self.source = source
        self.sourcePort = sourcePort
        self.destination = destination
        self.destinationPort = destinationPort
        self.inInterface = inInterface
        self.outInterface = outInterface
        self.isAuthenticated = protocolNumber == 51
        self.mark = mark
    }

    /// A packet of a protocol with ports.
    package init(
        _ transport: TransportProtocol, source: Address, sourcePort: UInt16 = 0, destination: Address, destinationPort: UInt16 = 0,
        inInterface: String? = nil, outInterface: String? = nil, mark: UInt32? = 0
    ) {
        self.init(
            protocolNumber: transport.number, source: source, sourcePort: sourcePort, destination: destination,
            destinationPort: destinationPort, inInterface: inInterface, outInterface: outInterface, mark: mark)
    }
}

extension RuleMatch {
    /// Whether the packet matches; nil: that depends on what is not known.
    package func matches(_ packet: Packet) -> Bool? {
        guard source?.matches(packet.source) ?? true, destination?.matches(packet.destination) ?? true,
            transport?.matches(packet.protocolNumber) ?? true,
            isFurtherFragment ?? packet.isFurtherFragment == packet.isFurtherFragment
        else { return false }
        var result: Bool? = true
        for (wanted, interface) in [(inInterface, packet.inInterface), (outInterface, packet.outInterface)] {
            guard let wanted, !(wanted.pattern.isAny && !wanted.isInverted) else { continue }
            guard let interface else {
                result = nil
                continue
            }
            if !wanted.matches(interface) { return false }
        }
        for condition in conditions {
            switch condition.matches(packet) {
            case false?: return false
            case nil: result = nil
            case true?: break
            }
        }
        return result
    }
}

extension InterfacePattern {
    /// Whether it is `+`, which every interface matches.
    package var isAny: Bool { isPrefix && name.isEmpty }
}

extension Condition {
    /// Whether the packet matches; nil: that depends on what is not known.
    package func matches(_ packet: Packet) -> Bool? {
        switch self {
        case .ports(let match):
            guard TransportProtocol(number: packet.protocolNumber) != nil else { return nil }
            // `tcp`, `udp`, `sctp` and `multiport` alike: a further fragment has no ports, not even others.
            return !packet.isFurtherFragment && match.matches(source: packet.sourcePort, destination: packet.destinationPort)
        case .mark(let match): return packet.mark.map(match.matches)
        case .connectionMark(let match): return packet.connectionMark.map(match.matches)
        case .mac(let address, let isInverted):
            switch packet.sender {
            case .unknown: return nil
            // `mac_mt` in net/netfilter/xt_mac.c: without an Ethernet header nothing matches, not even another address.
            case .none: return false
            case .address(let sender): return (sender == address) != isInverted
            }
        case .connectionState(let states, let isInverted):
            return packet.connectionState.map { states.contains($0) != isInverted }
        case .addressRange(let side, let first, let last, let isInverted):
            let address = side == .source ? packet.source : packet.destination
            return (first...last).contains(address) != isInverted
        case .other(let match) where match == ExtensionBytes.authenticationHeader: return packet.isAuthenticated
        case .tcpFlags, .icmp, .addressType, .set, .other: return nil
        }
    }
}

extension ExtensionBytes {
    /// `-m ah` of IPv6, any security parameter index: `struct ip6t_ah`, `<linux/netfilter_ipv6/ip6t_ah.h>`. To IPv6 tables the
    /// protocol is what comes after all headers, of which AH is one: `-p ah` never matches there.
    package static let authenticationHeader = ExtensionBytes(
        name: "ah", revision: 0, bytes: [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff] + [0, 0, 0, 0] + [0, 0, 0, 0])
}
