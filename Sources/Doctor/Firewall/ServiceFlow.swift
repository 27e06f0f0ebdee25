// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Judge
import Netlink
import Rules

/// Packets that a service cannot do without, and the hooks that they meet.
struct ServiceFlow {
    /// What a person calls them: `clients' connections to 203.0.113.10 port 21 (ftp)`.
    let name: String
    /// The hooks in their order; the mark is set before the last.
    let hooks: [Hook]
    /// The packet as it is in the last of the hooks.
    let packet: JudgedPacket
    /// What iptables needs to let all of them pass, after `-I CHAIN`.
    let iptablesMatch: String
    /// The same in nft's words.
    let nftMatch: String

    /// All flows of a service in one family.
    static func all(_ service: Service, _ family: Family, _ ftp: FTPService?, _ facts: Facts) -> [ServiceFlow] {
        guard let destination = service.addresses.included.first(where: { $0.family == family })?.address else { return [] }
        let client = client(of: service, family)
        let methods = facts.methods(service, ftp)
        let way = facts.outsideInterface(family, service)
        let isTracked = facts.settings["net.ipv4.vs.conntrack"] == "1"
        let servers = facts.virtualService(service.mark, family)?.realServers ?? []
        let server =
            servers.first { $0.forwarding == .nat }?.address ?? ftp?.active?.realServers.first { $0.family == family }?.address
        var flows: [ServiceFlow] = []
        for (transport, ports) in samples(service) {
            let what = transport.map { "\($0.rawValue) port \(ports)" } ?? "protocol \(ports)"
            let number = transport?.number ?? UInt8(truncatingIfNeeded: ports.lower)
            var inside = packet(number, ports.lower, client, destination, isAnswer: false)
            (inside.inInterface, inside.outInterface, inside.mark, inside.state) = (way, "", PartialMark(service.mark.value), .new)
            let protocolName = transport?.rawValue ?? "\(number)"
            let port = transport == nil || ports == .all ? "" : " --dport \(ports.iptablesSyntax)"
            let nftPort = transport == nil || ports == .all ? "" : " \(protocolName) dport \(ports)"
            let six = family == .ipv4 ? "ip" : "ip6"
            flows.append(
                ServiceFlow(
                    name: "clients' connections to \(destination), \(what) (\(service.name))", hooks: [.prerouting, .input],
                    packet: inside, iptablesMatch: "-d \(destination) -p \(protocolName)\(port)",
                    nftMatch: "\(six) daddr \(destination) \(nftPort.isEmpty ? "meta l4proto \(protocolName)" : nftPort)"))
            guard methods.contains(.nat), let server else { continue }
            var sent = packet(number, ports.lower, client, server, isAnswer: false)
            // IPVS takes its packets out of connection tracking unless a setting says otherwise.
            (sent.inInterface, sent.mark, sent.state) = ("", PartialMark(service.mark.value), isTracked ? .new : .untracked)
            flows.append(
                ServiceFlow(
                    name: "what IPVS sends to the real server \(server), \(what) (\(service.name))", hooks: [.output], packet: sent,
                    iptablesMatch: "-d \(server) -p \(protocolName)\(port)", nftMatch: "\(six) daddr \(server)\(nftPort)"))
            var answer = packet(number, ports.lower, server, client, isAnswer: true)
            // The first answer that connection tracking sees is one to nothing that it knows.
            (answer.outInterface, answer.state) = (way, isTracked ? .established : transport == .tcp ? .invalid : .new)
            if isTracked { (answer.isDestinationTranslated, answer.isSourceTranslated) = (nil, nil) }
            let source = port.isEmpty ? "" : " --sport \(ports.iptablesSyntax)"
            flows.append(
                ServiceFlow(
                    name: "answers of the real server \(server), \(what) (\(service.name))", hooks: [.forward], packet: answer,
                    iptablesMatch: "-s \(server) -p \(protocolName)\(source)",
                    nftMatch: "\(six) saddr \(server)\(nftPort.isEmpty ? "" : " \(protocolName) sport \(ports)")"))
        }
        if let ftp, methods.contains(.nat), let server { flows += active(ftp, family, server, client, way) }
        return flows
    }

    private static func packet(
        _ number: UInt8, _ port: UInt16, _ source: Address, _ destination: Address, isAnswer: Bool
    ) -> JudgedPacket {
        var packet = JudgedPacket(source.family)
        (packet.source, packet.destination, packet.protocolNumber) = (source, destination, number)
        (packet.sourcePort, packet.destinationPort) = isAnswer ? (port, 50_123) : (50_123, port)
        return packet
    }

    /// Active data connections: the real server opens them, the client answers.
    private static func active(
        _ ftp: FTPService, _ family: Family, _ server: Address, _ client: Address, _ way: String?
    ) -> [ServiceFlow] {
        guard let active = ftp.active, active.realServers.contains(where: { $0.family == family }),
            let port = active.dataPorts.first
        else { return [] }
        let six = family == .ipv4 ? "ip" : "ip6"
        let prefix = active.realServers.first { $0.family == family }?.description ?? "\(server)"
        var open = JudgedPacket(family)
        (open.source, open.sourcePort, open.destination, open.destinationPort) = (server, port, client, 50_124)
        (open.protocolNumber, open.outInterface, open.state) = (TransportProtocol.tcp.number, way, .new)
        var answer = JudgedPacket(family)
        (answer.source, answer.sourcePort, answer.destination, answer.destinationPort) = (client, 50_124, server, port)
        (answer.protocolNumber, answer.inInterface, answer.state) = (TransportProtocol.tcp.number, way, .established)
        (answer.isDestinationTranslated, answer.isSourceTranslated) = (nil, nil)
        return [
            ServiceFlow(
                name: "active data of \(server), tcp from port \(port) (\(ftp.name))", hooks: [.forward], packet: open,
                iptablesMatch: "-s \(prefix) -p tcp --sport \(port)", nftMatch: "\(six) saddr \(prefix) tcp sport \(port)"),
            ServiceFlow(
                name: "clients' answers to active data, tcp to port \(port) (\(ftp.name))", hooks: [.prerouting, .forward],
                packet: answer, iptablesMatch: "-d \(prefix) -p tcp --dport \(port)",
                nftMatch: "\(six) daddr \(prefix) tcp dport \(port)"),
        ]
    }

    /// Ports to try: the first of each range; protocols without ports by their numbers.
    private static func samples(_ service: Service) -> [(TransportProtocol?, PortRange)] {
        if service.traffic.isEverything { return [(.tcp, PortRange(1))] }
        return TransportProtocol.allCases.flatMap { transport in service.traffic[transport].map { (transport, $0) } }
            + service.traffic.protocols.map { (nil, PortRange(UInt16($0))) }
    }

    /// A client: one of those that the service is for, else one in no particular network.
    private static func client(of service: Service, _ family: Family) -> Address {
        if let prefix = service.sources.included.first(where: { $0.family == family }) { return prefix.address }
        let strangers = family == .ipv4 ? ["93.184.215.14", "151.101.3.42"] : ["2a02:1234:5678::42", "2606:4321:8765::42"]
        let addresses = strangers.compactMap { try? Address(parsing: $0) }
        return addresses.first { stranger in !service.sources.excluded.contains { $0.contains(stranger) } }
            ?? addresses.first ?? Address(family: family, bits: 1)
    }
}

extension Facts {
    /// The interface by which clients come: the service's own, else that of the default route; nil: not known.
    func outsideInterface(_ family: Family, _ service: Service) -> String? {
        if let own = service.inInterfaces.included.first(where: { !$0.isPrefix }) { return own.name }
        guard case .known(let routing) = routing else { return nil }
        let main = routing.defaults.filter { $0.family == family && $0.table == 254 && !$0.isLocal && $0.interface != 0 }
        guard let route = main.min(by: { $0.metric < $1.metric }) else { return nil }
        return routing.addresses.first { $0.interface == route.interface }?.name
    }
}
