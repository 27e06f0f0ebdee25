// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// The packets of one protocol that a service or a translation is about.
struct ProtocolTraffic {
    /// All packets of the protocol; without any match: every packet.
    let whole: RuleMatch
    /// Matches that together have exactly the ports that are meant, each with the protocol; a packet matches one of them at most.
    let parts: [RuleMatch]

    /// The protocols and ports that are in both, family by family; a traffic in which nothing is written means every packet.
    static func all(from source: Traffic, to destination: Traffic, _ family: Family) -> [ProtocolTraffic] {
        if source.isEveryPacket, destination.isEveryPacket { return [ProtocolTraffic(whole: RuleMatch(), parts: [RuleMatch()])] }
        var result: [ProtocolTraffic] = []
        for transport in TransportProtocol.allCases {
            guard let from = source.ports(transport), let to = destination.ports(transport) else { continue }
            let whole = RuleMatch(transport: ProtocolMatch(transport))
            var parts: [RuleMatch] = []
            for left in conditions(.source, from) {
                for right in conditions(.destination, to) { parts.append(whole.with(left + right)) }
            }
            result.append(ProtocolTraffic(whole: whole, parts: parts))
        }
        var numbers = source.isEveryPacket ? destination.protocols : source.protocols
        if !source.isEveryPacket, !destination.isEveryPacket { numbers = numbers.filter(destination.protocols.contains) }
        var known: Set<UInt8> = []
        for number in numbers where TransportProtocol(number: number) == nil && known.insert(number).inserted {
            guard let match = RuleMatch(protocolNumber: number, family) else { continue }
            result.append(ProtocolTraffic(whole: match, parts: [match]))
        }
        return result
    }

    /// The conditions that together have exactly these ports, each one a list; of no ports: one without any condition.
    ///
    /// Ranges that overlap or touch become one, as a person would write them, so that a packet is counted once.
    private static func conditions(_ side: PortMatch.Side, _ ranges: [PortRange]) -> [[Condition]] {
        guard !ranges.isEmpty else { return [[]] }
        var lists: [[PortRange]] = []
        var free = 0
        for range in ranges {
            let slots = PortMatch.slots(of: range)
            if slots > free {
                lists.append([])
                free = PortMatch.multiportSlots
            }
            lists[lists.count - 1].append(range)
            free -= slots
        }
        return lists.map { [.ports(PortMatch(side, $0))] }
    }
}

extension Traffic {
    /// Whether every packet is meant: nothing was written, or `protocols: any`.
    var isEveryPacket: Bool { isEverything || isEmpty }

    /// The protocol's ports in as few ranges as can be; nil: none of its packets, empty: all of them.
    fileprivate func ports(_ transport: TransportProtocol) -> [PortRange]? {
        if isEveryPacket || protocols.contains(transport.number) { return [] }
        guard !self[transport].isEmpty else { return nil }
        let merged = PortRange.merged(self[transport])
        return merged.count == 1 && merged[0].lower <= 1 && merged[0].upper == .max ? [] : merged
    }
}

extension RuleMatch {
    /// All packets of a protocol without ports; nil where the family has no such packets.
    fileprivate init?(protocolNumber number: UInt8, _ family: Family) {
        switch (family, number) {
        case (.ipv4, 0): return nil
        case (.ipv6, 51): self.init(conditions: [.other(.authenticationHeader)])
        default: self.init(transport: ProtocolMatch(number))
        }
    }

    /// The match with these conditions.
    fileprivate func with(_ conditions: [Condition]) -> RuleMatch {
        var match = self
        match.conditions = conditions
        return match
    }
}
