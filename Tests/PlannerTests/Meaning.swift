// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Judge
import Rules

/// What a configuration says of a packet, read from it word by word and without any rule: the judge of the planner.
struct Meaning {
    private let services: [Service]
    private let translations: [Masquerade]
    /// The services that need a helper, each for the ports of its control connections.
    private let helped: [Service]
    /// The services of the addresses that were asked for last.
    private var near: (source: Address?, destination: Address?, services: [Service]) = (nil, nil, [])

    init(configuration: Configuration) {
        services = configuration.allServices.map { service in
            var service = service
            service.traffic = service.traffic.merged
            return service
        }
        translations = configuration.allMasquerades.map { translation in
            var translation = translation
            translation.sourceTraffic = translation.sourceTraffic.merged
            translation.destinationTraffic = translation.destinationTraffic.merged
            return translation
        }
        helped = configuration.ftp.filter(\.followsConnections).map { ftp in
            Service(
                name: ftp.name, mark: ftp.mark, addresses: Selection(ftp.addresses),
                traffic: Traffic(tcp: ftp.controlPorts.map { PortRange($0) }).merged)
        }
    }

    /// The numbers of the services, translations and helped services that are about packets between these addresses.
    func entries(_ source: Address, _ destination: Address) -> [Int] {
        var packet = JudgedPacket(source.family)
        (packet.source, packet.destination) = (source, destination)
        let ofTranslations = translations.map { entry in
            entry.sources.matches { packet.has(.source, $0) } && entry.destinations.matches { packet.has(.destination, $0) }
        }
        let all = (services + helped).map { $0.matchesAddresses(packet) } + ofTranslations
        return all.indices.filter { all[$0] }
    }

    /// Whose mark the packet gets at the hook, in the order of the file.
    mutating func services(_ packet: JudgedPacket, at hook: Hook) -> [Service] {
        // Packets come in the order of their addresses.
        if near.source != packet.source || near.destination != packet.destination {
            near = (packet.source, packet.destination, services.filter { $0.matchesAddresses(packet) })
        }
        return near.services.filter { $0.hooks.contains(hook) && $0.matches(packet) }
    }

    /// The translation that decides; nil: none.
    func translation(_ packet: JudgedPacket) -> Masquerade? {
        translations.first { $0.matches(packet, services) }
    }

    /// Whether the packet's connection gets FTP's helper.
    func hasHelper(_ packet: JudgedPacket) -> Bool {
        helped.contains { $0.matchesAddresses(packet) && $0.matches(packet) }
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
        if self[transport].first == .all { return true }
        return packet.isFurtherFragment == false && self[transport].contains { $0.contains(port ?? 0) }
    }

    /// The same in as few ranges as say it; every port is no match, as the reader has it.
    fileprivate var merged: Traffic {
        var traffic = self
        for transport in TransportProtocol.allCases {
            let ranges = PortRange.merged(self[transport])
            traffic[transport] = ranges == [PortRange(1, 65535)] ? [.all] : ranges
        }
        return traffic
    }
}

extension Service {
    fileprivate func matchesAddresses(_ packet: JudgedPacket) -> Bool {
        addresses.matches { packet.has(.destination, $0) } && sources.matches { packet.has(.source, $0) }
    }

    /// What is asked beside addresses.
    fileprivate func matches(_ packet: JudgedPacket) -> Bool {
        inInterfaces.matches { $0.matches(packet.inInterface ?? "") } && traffic.matches(packet, .destination)
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
