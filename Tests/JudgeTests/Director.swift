// SPDX-License-Identifier: GPL-2.0-or-later
import Judge
import NamespaceSupport
import PacketSupport
import Rules

/// A packet, and the way that it takes through the director.
struct Trip: Hashable {
    enum Way: Hashable, CaseIterable {
        /// It comes in and is for the director.
        case local
        /// It comes in and goes on.
        case forwarded
        /// The director sends it.
        case own
    }

    var packet: JudgedPacket
    var way: Way

    var hooks: [Hook] {
        switch way {
        case .local: [.prerouting, .input]
        case .forwarded: [.prerouting, .forward, .postrouting]
        case .own: [.output, .postrouting]
        }
    }

    var connection: Connections.Key? {
        guard let source = packet.source, let destination = packet.destination, let number = packet.protocolNumber else {
            return nil
        }
        return .init(number, source, packet.sourcePort, destination, packet.destinationPort)
    }

    /// The answer to it, which comes in where it left.
    var answer: Trip {
        var answer = packet
        (answer.source, answer.destination) = (packet.destination, packet.source)
        (answer.sourcePort, answer.destinationPort) = (packet.destinationPort, packet.sourcePort)
        answer.inInterface = packet.outInterface
        answer.outInterface = Director.outgoing[0]
        answer.state = .established
        return Trip(packet: answer, way: .forwarded)
    }
}

/// What became of a packet.
struct Fate: Hashable {
    var isDropped = false
    var mark: UInt32 = 0
    /// Its source at the end; nil: not looked at.
    var source: Address?
    /// Its destination at the end; nil: not looked at.
    var destination: Address?
    /// Its destination port at the end, where it has one.
    var destinationPort: UInt16?
    /// Its connection's mark; nil where none is followed.
    var connectionMark: UInt32?

    static let dropped = Fate(isDropped: true)
}

/// A namespace that is a router with addresses of its own.
struct Director {
    static let incoming = ["eth0", "eth1", "wan0"]
    static let outgoing = ["out0", "out1"]

    let family: Family
    private let devices: [TunnelDevice]
    private let receivers: [MarkReceiver]
    private let taps: [MarkReceiver]
    private let sender: PacketSender
    /// What the connections of packets leave by when they are masqueraded.
    let addresses: [String: Address]

    init(_ family: Family, in namespace: NetworkNamespace) throws {
        self.family = family
        devices = try (Director.incoming + Director.outgoing).map { try TunnelDevice($0) }
        let outside = try namespace.forward(from: "lo", to: Director.incoming + Director.outgoing)
        for name in ["all", "default"] + Director.incoming + Director.outgoing {
            try namespace.run("sysctl", "-qw", "net.ipv4.conf.\(name).accept_local=1", "net.ipv4.conf.\(name).send_redirects=0")
        }
        let ip = family == .ipv4 ? "-4" : "-6"
        let local = family == .ipv4 ? "203.0.113.0/24" : "2001:db8:113::/48"
        try namespace.run("ip", ip, "route", "add", "local", local, "dev", "lo")
        try namespace.run("ip", ip, "route", "add", family == .ipv4 ? "10.0.0.0/8" : "2001:db8:a::/48", "dev", "out1")
        try namespace.run("ip", ip, "route", "add", "default", "dev", "out0")
        receivers = try [6, 17, TestPacket.portless].map { try MarkReceiver(family, $0) }
        taps = try Director.outgoing.map { try MarkReceiver(leavingBy: $0) }
        sender = try PacketSender(family, mark: 0)
        addresses = Dictionary(
            uniqueKeysWithValues: zip(Director.incoming + Director.outgoing, outside.map { $0[family]! }))
    }

    /// What becomes of the packets, one after the other.
    func fates(of trips: [Trip]) throws -> [Fate] {
        var fates = [Fate](repeating: .dropped, count: trips.count)
        func receive() throws {
            for receiver in receivers + taps {
                while let (bytes, mark) = try receiver.receive() {
                    guard let number = TestPacket.number(of: bytes), Int(number) < fates.count else { continue }
                    fates[Int(number)] = Fate(mark: mark, source: TestPacket.source(of: bytes))
                }
            }
            for device in devices { while try device.read() != nil {} }
        }
        for (index, trip) in trips.enumerated() {
            let bytes = TestPacket(packet: trip.packet, number: UInt16(index)).bytes
            if trip.way == .own, let destination = trip.packet.destination {
                // A packet that is dropped on its way out is an error to its sender.
                try? sender.send(bytes, to: destination)
            } else {
                try devices.first { $0.name == trip.packet.inInterface }?.write(bytes)
            }
            if index % 16 == 15 { try receive() }
        }
        try receive()
        let connections = try Connections()
        for (index, trip) in trips.enumerated() where !fates[index].isDropped {
            guard let key = trip.connection, let entry = connections.entries[key] else { continue }
            fates[index].connectionMark = entry.mark
            (fates[index].source, fates[index].destination) = (entry.answersTo, entry.answersFrom)
            if trip.packet.destinationPort != nil { fates[index].destinationPort = entry.answersFromPort }
        }
        return fates
    }
}
