// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A class of packets: those of a service, or those of a translation, in one family.
struct TrafficClass {
    var family: Family
    var sources: Selection<Prefix> = Selection()
    var destinations: Selection<Prefix> = Selection()
    var sourceTraffic = Traffic()
    var destinationTraffic = Traffic()
    var inInterfaces: Selection<InterfacePattern> = Selection()
    var outInterfaces: Selection<InterfacePattern> = Selection()
    /// The mark that its packets bear where the rule is; nil: not known.
    var mark: UInt32?

    /// Clients' packets to the service, with the mark.
    init(_ service: Service, _ family: Family, mark: UInt32?) {
        self.family = family
        (sources, destinations) = (service.sources, service.addresses)
        (destinationTraffic, inInterfaces) = (service.traffic, service.inInterfaces)
        self.mark = mark
    }

    /// Packets that the file has translated.
    init(_ masquerade: Masquerade, _ family: Family) {
        self.family = family
        (sources, destinations) = (masquerade.sources, masquerade.destinations)
        (sourceTraffic, destinationTraffic) = (masquerade.sourceTraffic, masquerade.destinationTraffic)
        outInterfaces = masquerade.outInterfaces
    }

    /// Whether some packet of the class may match; what is not known may.
    func mayMatch(_ match: RuleMatch) -> Bool {
        may(match.source, sources) && may(match.destination, destinations) && may(match.inInterface, inInterfaces)
            && may(match.outInterface, outInterfaces) && may(match.transport)
            && match.conditions.allSatisfy { may($0, match.transport) }
    }

    private func may(_ wanted: AddressMatch?, _ own: Selection<Prefix>) -> Bool {
        guard let wanted else { return true }
        let named = own.included.filter { $0.family == family }
        if wanted.isInverted {
            return named.isEmpty || named.contains { !wanted.prefix.contains($0) }
        }
        return (own.included.isEmpty || named.contains { $0.overlaps(wanted.prefix) })
            && !own.excluded.contains { $0.contains(wanted.prefix) }
    }

    private func may(_ wanted: InterfaceMatch?, _ own: Selection<InterfacePattern>) -> Bool {
        guard let wanted, !wanted.isInverted, !own.included.isEmpty else { return true }
        return own.included.contains { $0.overlaps(wanted.pattern) }
    }

    private var protocols: [UInt8]? {
        let traffic = destinationTraffic.isEmpty ? sourceTraffic : destinationTraffic
        if traffic.isEmpty || traffic.isEverything { return nil }
        return traffic.protocols + TransportProtocol.allCases.filter { !traffic[$0].isEmpty }.map(\.number)
    }

    private func may(_ wanted: ProtocolMatch?) -> Bool {
        guard let wanted, let protocols else { return true }
        return protocols.contains { wanted.matches($0) }
    }

    private func may(_ condition: Condition, _ transport: ProtocolMatch?) -> Bool {
        switch condition {
        case .ports(let ports):
            let kinds = TransportProtocol.allCases.filter { transport?.matches($0.number) ?? true }
            switch ports.side {
            case .source: return may(ports, sourceTraffic, kinds)
            case .destination: return may(ports, destinationTraffic, kinds)
            case .either: return may(ports, sourceTraffic, kinds) || may(ports, destinationTraffic, kinds)
            }
        case .mark(let wanted): return mark.map(wanted.matches) ?? true
        case .addressRange(let side, let first, let last, let isInverted):
            let own = (side == .source ? sources : destinations).included.filter { $0.family == family }
            if own.isEmpty { return true }
            if isInverted { return own.contains { $0.address < first || $0.last > last } }
            return own.contains { $0.address <= last && first <= $0.last }
        case .addressType(let kinds):
            // Broadcast, anycast and multicast (`RTN_*`): no virtual address is one.
            let special: UInt16 = 1 << 3 | 1 << 4 | 1 << 5
            return kinds.destination == 0 || kinds.isDestinationInverted || kinds.destination & ~special != 0
        case .connectionState(let states, let isInverted): return isInverted || !states.subtracting([.related]).isEmpty
        case .tcpFlags, .icmp, .connectionMark, .mac, .set, .other: return true
        }
    }

    private func may(_ wanted: PortMatch, _ traffic: Traffic, _ kinds: [TransportProtocol]) -> Bool {
        if traffic.isEmpty || traffic.isEverything { return true }
        let own = kinds.flatMap { traffic[$0] }
        return own.contains { mine in
            wanted.isInverted
                ? !wanted.ranges.contains { $0.lower <= mine.lower && mine.upper <= $0.upper }
                : wanted.ranges.contains { $0.overlaps(mine) }
        }
    }
}
