import ConfigurationFile
import Rules

/// What a configuration says of a packet, read from it word by word and without any rule: the judge of the planner.
struct Meaning {
    let configuration: Configuration

    /// Whose mark the packet gets at the hook, in the order of the file.
    func services(_ packet: Packet, at hook: Hook) -> [Service] {
        configuration.allServices.filter { $0.hooks.contains(hook) && $0.matches(packet) }
    }

    /// The translation that decides; nil: none.
    func translation(_ packet: Packet) -> Masquerade? {
        let services = configuration.allServices
        return configuration.allMasquerades.first { $0.matches(packet, services) }
    }

    /// Whether the packet's connection gets FTP's helper.
    func hasHelper(_ packet: Packet) -> Bool {
        configuration.ftp.contains { service in
            service.followsConnections && service.addresses.contains { $0.contains(packet.destination) }
                && Traffic(tcp: service.controlPorts.map { PortRange($0) }).matches(packet, .destination)
        }
    }
}

extension Selection {
    fileprivate func matches(_ isMeant: (Element) -> Bool) -> Bool {
        (included.isEmpty || included.contains(where: isMeant)) && !excluded.contains(where: isMeant)
    }
}

extension Traffic {
    fileprivate func matches(_ packet: Packet, _ side: AddressSide) -> Bool {
        if isEverything { return true }
        let number = packet.protocolNumber
        if protocols.contains(where: { $0 == 51 && packet.destination.family == .ipv6 ? packet.isAuthenticated : $0 == number }) {
            return true
        }
        guard let transport = TransportProtocol(number: number) else { return false }
        let port = side == .source ? packet.sourcePort : packet.destinationPort
        let merged = PortRange.merged(self[transport])
        if merged == [.all] || merged == [PortRange(1, 65535)] { return true }
        return !packet.isFurtherFragment && merged.contains { $0.contains(port) }
    }
}

extension Service {
    fileprivate func matches(_ packet: Packet) -> Bool {
        addresses.matches { $0.contains(packet.destination) } && sources.matches { $0.contains(packet.source) }
            && inInterfaces.matches { $0.matches(packet.inInterface ?? "") } && traffic.matches(packet, .destination)
            && (sourceMACs.isEmpty || packet.sender != .none && sourceMACs.matches { packet.sender == .address($0) })
    }
}

extension Masquerade {
    fileprivate func matches(_ packet: Packet, _ all: [Service]) -> Bool {
        let family = packet.destination.family
        switch to {
        case .addresses(let first, _): guard first.family == family else { return false }
        case .virtualAddresses(let addresses, let mark):
            guard addresses.contains(where: { $0.family == family }), let connection = packet.connectionMark,
                connection & mark.mask == mark.value
            else { return false }
        case .masquerade, .unchanged: break
        }
        let bearsMark =
            services.isEmpty
            || all.contains { services.contains($0.name) && (packet.mark ?? 0) & $0.mark.mask == $0.mark.value }
        return bearsMark && sources.matches { $0.contains(packet.source) }
            && destinations.matches { $0.contains(packet.destination) }
            && outInterfaces.matches { $0.matches(packet.outInterface ?? "") }
            && (sourceTraffic.isEmpty || sourceTraffic.matches(packet, .source))
            && (destinationTraffic.isEmpty || destinationTraffic.matches(packet, .destination))
    }
}
