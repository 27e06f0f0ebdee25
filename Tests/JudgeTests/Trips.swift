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
        packet.protocolNumber = pick([6, 6, 17, 17, TestPacket.portless])
        let (local, remote) = (ForeignTables.local(family), ForeignTables.remote(family))
        packet.source = try Address(parsing: pick(way == .own ? local : local + remote + remote))
        packet.destination = try Address(parsing: pick(way == .local ? local : remote))
        packet.sourcePort = pick([1_024 + index, 1_024 + index, 21 + index % 400])
        packet.destinationPort = pick(ForeignTables.ports + [22, 9_999, 20_001])
        (packet.inInterface, packet.outInterface) = (way == .own ? "" : pick(Director.incoming), "")
        if way != .local {
            let isInside = packet.destination.map { ["10.", "2001:db8:a:"].contains(where: "\($0)".hasPrefix) } ?? false
            packet.outInterface = Director.outgoing[isInside ? 1 : 0]
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
        var fate = Fate(source: trip.packet.source, connectionMark: connectionMark)
        for hook in trip.hooks {
            for table in Judge.tables(at: hook) where isFirst || table != .nat {
                let judgement = judge.judge(packet, at: hook, only: table)
                guard let verdict = judgement.verdict.value else { return .unknown }
                if verdict == .drop { return .known(.dropped) }
                guard let mark = judgement.mark.value, let saved = judgement.connectionMark.value,
                    let translation = judgement.translation.value
                else { return .unknown }
                (packet.mark, packet.connectionMark) = (PartialMark(mark), PartialMark(saved))
                (fate.mark, fate.connectionMark) = (mark, saved)
                switch translation {
                case .none: break
                case .masquerade: fate.source = packet.outInterface.flatMap { director.addresses[$0] }
                case .source(let range): fate.source = range.first == range.last ? range.first : nil
                }
            }
        }
        return .known(fate)
    }
}

extension Fate {
    /// Whether it is what a judge said: one of several addresses is as good as another, and what is not followed has no mark.
    func isAsSaid(_ said: Fate) -> Bool {
        if isDropped || said.isDropped { return isDropped == said.isDropped }
        return mark == said.mark && (source == nil || said.source == nil || source == said.source)
            && (connectionMark == nil || connectionMark == said.connectionMark)
    }
}
