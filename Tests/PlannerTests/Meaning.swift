// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Judge
import Rules

/// What a configuration says of a packet, read from it word by word and without any rule: the judge of the planner.
struct Meaning {
    let configuration: Configuration

    /// Whose mark the packet gets at the hook, in the order of the file.
    func services(_ packet: JudgedPacket, at hook: Hook) -> [Service] {
        configuration.allServices.filter { $0.hooks.contains(hook) && $0.matches(packet) }
    }

    /// The translation that decides; nil: none.
    func translation(_ packet: JudgedPacket) -> Masquerade? {
        let services = configuration.allServices
        return configuration.allMasquerades.first { $0.matches(packet, services) }
    }

    /// Whether the packet's connection gets FTP's helper.
    func hasHelper(_ packet: JudgedPacket) -> Bool {
        configuration.ftp.contains { service in
            service.followsConnections && service.addresses.contains { packet.has(.destination, $0) }
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
    fileprivate func matches(_ packet: JudgedPacket, _ side: AddressSide) -> Bool {
        if isEverything { return true }
        guard let number = packet.protocolNumber else { return false }
        if protocols.contains(where: { $0 == 51 && packet.family == .ipv6 ? number == 51 : $0 == number }) {
            return true
        }
        guard let transport = TransportProtocol(number: number) else { return false }
        let port = side == .source ? packet.sourcePort : packet.destinationPort
        let merged = PortRange.merged(self[transport])
        if merged == [.all] || merged == [PortRange(1, 65535)] { return true }
        return packet.isFurtherFragment == false && merged.contains { $0.contains(port ?? 0) }
    }
}

extension Service {
    fileprivate func matches(_ packet: JudgedPacket) -> Bool {
        addresses.matches { packet.has(.destination, $0) } && sources.matches { packet.has(.source, $0) }
            && inInterfaces.matches { $0.matches(packet.inInterface ?? "") } && traffic.matches(packet, .destination)
            && (sourceMACs.isEmpty || packet.isFromEthernet && sourceMACs.matches { packet.mac == $0 })
    }
}

extension Masquerade {
    fileprivate func matches(_ packet: JudgedPacket, _ all: [Service]) -> Bool {
        let family = packet.family
        switch to {
        case .addresses(let first, _): guard first.family == family else { return false }
        case .virtualAddresses(let addresses, let mark):
            guard addresses.contains(where: { $0.family == family }), packet.connectionMark.value & mark.mask == mark.value
            else { return false }
        case .masquerade, .unchanged: break
        }
        let bearsMark =
            services.isEmpty
            || all.contains { services.contains($0.name) && packet.mark.value & $0.mark.mask == $0.mark.value }
        return bearsMark && sources.matches { packet.has(.source, $0) }
            && destinations.matches { packet.has(.destination, $0) }
            && outInterfaces.matches { $0.matches(packet.outInterface ?? "") }
            && (sourceTraffic.isEmpty || sourceTraffic.matches(packet, .source))
            && (destinationTraffic.isEmpty || destinationTraffic.matches(packet, .destination))
    }
}

extension JudgedPacket {
    fileprivate func has(_ side: AddressSide, _ prefix: Prefix) -> Bool {
        (side == .source ? source : destination).map(prefix.contains) ?? false
    }
}
