import Rules

/// The side of a connection whose ports are meant.
enum PortSide {
    case source, destination

    /// The matches that together hold exactly these ports: the protocol's own for one port or range, else multiport.
    ///
    /// Ranges that overlap or touch become one, as a person would write them; and a packet then fits one match at most, so
    /// that it is counted once.
    func matches(_ transport: TransportProtocol, _ ranges: [PortRange]) -> [TransportMatch] {
        let merged = PortRange.merged(ranges)
        if merged.count == 1 {
            let ports: TransportMatch.Ports = self == .source ? .source(merged[0]) : .destination(merged[0])
            return [TransportMatch(transport, merged[0] == .all ? .any : ports)]
        }
        var lists: [[PortRange]] = []
        var free = 0
        for range in merged {
            let slots = TransportMatch.slots(of: range)
            if slots > free {
                lists.append([])
                free = TransportMatch.multiportSlots
            }
            lists[lists.count - 1].append(range)
            free -= slots
        }
        return lists.map { list in
            switch (self, list.count) {
            case (.source, 1): TransportMatch(transport, .source(list[0]))
            case (.destination, 1): TransportMatch(transport, .destination(list[0]))
            case (.source, _): TransportMatch(transport, .sources(list))
            case (.destination, _): TransportMatch(transport, .destinations(list))
            }
        }
    }

    /// The matches of all protocols; of no protocol at all: nil, which every packet passes.
    func matches(_ ports: [TransportProtocol: [PortRange]]) -> [TransportMatch?] {
        guard !ports.isEmpty else { return [nil] }
        return TransportProtocol.allCases.flatMap { transport in ports[transport].map { matches(transport, $0) } ?? [] }
    }
}

/// The matches for one service's ports after the other's. Most services have the ports of the one before them.
struct PortMatcher {
    let side: PortSide
    private var last: (ports: [TransportProtocol: [PortRange]], matches: [TransportMatch?])?

    init(_ side: PortSide) { self.side = side }

    /// As `PortSide.matches`.
    mutating func matches(_ ports: [TransportProtocol: [PortRange]]) -> [TransportMatch?] {
        if let last, last.ports == ports { return last.matches }
        let matches = side.matches(ports)
        last = (ports, matches)
        return matches
    }
}
