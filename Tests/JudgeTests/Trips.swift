// SPDX-License-Identifier: GPL-2.0-or-later
import Judge
import PacketSupport
import RandomConfigurations
import RandomNumbers
import Rules

/// Random packets at and around the edges of what rules ask for, each of a connection of its own.
struct Trips {
    var numbers: SeededNumbers
    let family: Family
    /// Whether connections are followed; then fragments come in whole only, and are left out.
    var isTracking = true
    /// Whether destinations may be translated; then no packet may look like an answer to another one.
    var isRedirected = false

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[Int(numbers.next() % UInt64(values.count))] }

    mutating func some(_ count: Int) throws -> [Trip] {
        var trips: [Trip] = []
        var taken: Set<Connections.Key> = []
        for index in 0..<count {
            let trip = try one(UInt16(index))
            // An answer to another one is not the first of its connection.
            guard let key = trip.connection, let back = trip.answer.connection, back != key, !taken.contains(back)
            else { continue }
            if taken.insert(key).inserted { trips.append(trip) }
        }
        return trips
    }

    private mutating func one(_ index: UInt16) throws -> Trip {
        let way = pick([Trip.Way.local, .local, .local, .forwarded, .forwarded, .own])
        var packet = JudgedPacket(family)
        packet.protocolNumber = pick([6, 6, 17, 17, isRedirected ? 6 : TestPacket.portless])
        let (local, remote) = (ForeignTables.local(family), ForeignTables.remote(family))
        packet.source = try Address(parsing: pick(way == .own ? local : local + remote + remote))
        packet.destination = try Address(parsing: pick(way == .local ? local : remote))
        packet.sourcePort = pick([1_024 + index, 1_024 + index, isRedirected ? 1_024 + index : 21 + index % 400])
        packet.destinationPort = pick(ForeignTables.ports + [22, 9_999, 20_001])
        (packet.inInterface, packet.outInterface) = (way == .own ? "" : pick(Director.incoming), "")
        if way != .local {
            packet.outInterface = packet.destination.map(Trips.outgoing)
        }
        if packet.protocolNumber == TestPacket.portless { (packet.sourcePort, packet.destinationPort) = (nil, nil) }
        if !isTracking, way == .forwarded, family == .ipv4, pick([true, false, false]) { packet.isFurtherFragment = true }
        return Trip(packet: packet, way: way)
    }
}

/// What a judge says becomes of packets of a director.
struct Verdicts {
    let judge: Judge
    let director: Director

    enum Answer: Hashable {
        case known(Fate)
        case unknown
    }

    /// - Parameters:
    ///   - connectionMark: what the connection had saved.
    ///   - source: the source that an earlier packet of the connection got; nil: it is the first.
    func fate(of trip: Trip, connectionMark: UInt32 = 0, isFirst: Bool = true, isTracking: Bool = true) -> Answer {
        var packet = trip.packet
        packet.connectionMark = PartialMark(connectionMark)
        if !isTracking { packet.state = .untracked }
        if !isFirst { (packet.isDestinationTranslated, packet.isSourceTranslated) = (nil, nil) }
        var fate = Fate(
            source: trip.packet.source, destination: trip.packet.destination, destinationPort: trip.packet.destinationPort,
            connectionMark: connectionMark)
        var hooks = trip.hooks[...]
        while let hook = hooks.popFirst() {
            for table in Judge.tables(at: hook) where isFirst || table != .nat {
                let judgement = judge.judge(packet, at: hook, only: table)
                guard let verdict = judgement.verdict.value else { return .unknown }
                if verdict == .drop { return .known(.dropped) }
                guard let mark = judgement.mark.value, let saved = judgement.connectionMark.value,
                    let translation = judgement.translation.value
                else { return .unknown }
                (packet.mark, packet.connectionMark) = (PartialMark(mark), PartialMark(saved))
                (fate.mark, fate.connectionMark) = (mark, saved)
                // Where it would be routed to is another question.
                guard let destination = judgement.destination else { return .unknown }
                (packet.destination, packet.destinationPort) = (destination, judgement.destinationPort)
                fate.destinationPort = judgement.destinationPort
                packet.isDestinationTranslated = judgement.isDestinationTranslated
                switch translation {
                case .none: break
                case .masquerade: fate.source = packet.outInterface.flatMap { director.addresses[$0] }
                case .source(let range): fate.source = range.first == range.last ? range.first : nil
                }
            }
            if let destination = packet.destination, destination != fate.destination {
                fate.destination = destination
                let isLocal = Trips.isLocal(destination)
                if hook == .prerouting { hooks = isLocal ? [.input] : [.forward, .postrouting] }
                packet.outInterface = isLocal ? "" : Trips.outgoing(destination)
            }
        }
        return .known(fate)
    }
}

extension Trips {
    /// Whether the director has the address.
    static func isLocal(_ address: Address) -> Bool { ["203.0.113.", "2001:db8:113:"].contains(where: "\(address)".hasPrefix) }

    /// The interface by which packets leave for the address.
    static func outgoing(_ address: Address) -> String {
        Director.outgoing[["10.", "2001:db8:a:"].contains(where: "\(address)".hasPrefix) ? 1 : 0]
    }
}

extension Fate {
    /// Whether it is what a judge said: one of several addresses is as good as another, and what is not followed has no mark.
    func isAsSaid(_ said: Fate) -> Bool {
        if isDropped || said.isDropped { return isDropped == said.isDropped }
        return mark == said.mark && (source == nil || said.source == nil || source == said.source)
            && (destinationPort == nil || said.destinationPort == nil || destinationPort == said.destinationPort)
            && (destination == nil || said.destination == nil || destination == said.destination)
            && (connectionMark == nil || connectionMark == said.connectionMark)
    }
}
