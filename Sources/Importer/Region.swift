// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A set of packets of one family that a configuration has words for, or a larger one that holds what a rule matches.
///
/// Example: `-d 203.0.113.10 -p tcp --dport 21` is the region of that address, TCP and port 21, and is exact. With `-m limit` it is
/// the same region, not exact: the rule matches some of it.
struct Region: Sendable, Hashable {
    var addresses = Selection<Prefix>()
    var sources = Selection<Prefix>()
    var macs = Selection<MACAddress>()
    var inInterfaces = Selection<InterfacePattern>()
    var outInterfaces = Selection<InterfacePattern>()
    /// The protocol; nil: any.
    var transport: UInt8?
    /// Of TCP, UDP and SCTP; `[.all]`: any.
    var sourcePorts: [PortRange] = [.all]
    var destinationPorts: [PortRange] = [.all]
    /// The mark that packets bear; nil: any.
    var mark: MarkMatch?
    /// The mark that their connections bear; nil: any.
    var connectionMark: MarkMatch?
    /// What of the rule a configuration cannot express, as iptables prints it; nil: the region is exact.
    var unclear: String?

    var isExact: Bool { unclear == nil }

    /// Every packet.
    init() {}

    /// The region of a rule's match.
    init(_ match: RuleMatch, _ family: Family) {
        Region.add(match.destination, to: &addresses)
        Region.add(match.source, to: &sources)
        Region.add(match.inInterface, to: &inInterfaces)
        Region.add(match.outInterface, to: &outInterfaces)
        if let transport = match.transport {
            if transport.isInverted { unclear = "! -p \(transport.name)" } else { self.transport = transport.number }
        }
        if match.isFurtherFragment != nil { unclear = "-f" }
        for condition in match.conditions { add(condition, match) }
    }

    private static func add(_ match: AddressMatch?, to selection: inout Selection<Prefix>) {
        guard let match else { return }
        if match.isInverted { selection.excluded.append(match.prefix) } else { selection.included.append(match.prefix) }
    }

    private static func add(_ match: InterfaceMatch?, to selection: inout Selection<InterfacePattern>) {
        guard let match else { return }
        if match.isInverted { selection.excluded.append(match.pattern) } else { selection.included.append(match.pattern) }
    }

    private mutating func add(_ condition: Condition, _ match: RuleMatch) {
        switch condition {
        case .ports(let ports) where !ports.isInverted && ports.side == .source:
            sourcePorts = Region.common(sourcePorts, PortRange.merged(ports.ranges))
        case .ports(let ports) where !ports.isInverted && ports.side == .destination:
            destinationPorts = Region.common(destinationPorts, PortRange.merged(ports.ranges))
        case .mac(let address, let isInverted):
            if isInverted { macs.excluded.append(address) } else { macs.included.append(address) }
        case .mark(let mark) where !mark.isInverted && self.mark == nil: self.mark = mark
        case .connectionMark(let mark) where !mark.isInverted && connectionMark == nil: connectionMark = mark
        case .addressRange(let side, let first, let last, false):
            let prefixes = Prefix.covering(first, last)
            let both = Selection(prefixes)
            switch side {
            case .source: sources = sources.intersection(both) ?? both
            case .destination: addresses = addresses.intersection(both) ?? both
            }
        case .other(let other) where other == .authenticationHeader && transport == nil: transport = 51
        default:
            unclear =
                unclear ?? Rule(RuleMatch(transport: match.transport, conditions: [condition]), target: .none).words(of: condition)
        }
    }

    /// The ports that are in both lists; both merged.
    static func common(_ left: [PortRange], _ right: [PortRange]) -> [PortRange] {
        left.flatMap { left in
            right.compactMap { right in
                left.overlaps(right) ? PortRange(max(left.lower, right.lower), min(left.upper, right.upper)) : nil
            }
        }
    }

    /// The ports of the first list that are not in the second.
    static func difference(_ left: [PortRange], _ right: [PortRange]) -> [PortRange] {
        var result = left
        for hole in right {
            result = result.flatMap { range -> [PortRange] in
                guard range.overlaps(hole) else { return [range] }
                var rest: [PortRange] = []
                if range.lower < hole.lower { rest.append(PortRange(range.lower, hole.lower - 1)) }
                if hole.upper < range.upper { rest.append(PortRange(hole.upper + 1, range.upper)) }
                return rest
            }
        }
        return result
    }

    // MARK: - Sets

    /// Whether some packet may be in both.
    func meets(_ other: Region) -> Bool {
        if let transport, let otherTransport = other.transport {
            guard transport == otherTransport, !Region.common(destinationPorts, other.destinationPorts).isEmpty,
                !Region.common(sourcePorts, other.sourcePorts).isEmpty
            else { return false }
        }
        return addresses.meets(other.addresses) && sources.meets(other.sources) && inInterfaces.meets(other.inInterfaces)
            && outInterfaces.meets(other.outInterfaces) && macs.meets(other.macs)
    }

    /// What is in both, or a larger set where one of them is not exact; nil: nothing.
    func intersection(_ other: Region) -> Region? {
        var result = self
        guard meets(other), let addresses = addresses.intersection(other.addresses),
            let sources = sources.intersection(other.sources), let macs = macs.intersection(other.macs),
            let inInterfaces = inInterfaces.intersection(other.inInterfaces),
            let outInterfaces = outInterfaces.intersection(other.outInterfaces)
        else { return nil }
        result.addresses = addresses
        result.sources = sources
        result.macs = macs
        result.inInterfaces = inInterfaces
        result.outInterfaces = outInterfaces
        result.transport = transport ?? other.transport
        result.sourcePorts = Region.common(sourcePorts, other.sourcePorts)
        result.destinationPorts = Region.common(destinationPorts, other.destinationPorts)
        result.unclear = unclear ?? other.unclear
        if let mark, let otherMark = other.mark, mark != otherMark { result.unclear = result.unclear ?? "two marks" }
        result.mark = mark ?? other.mark
        if let connectionMark, let otherMark = other.connectionMark, connectionMark != otherMark {
            result.unclear = result.unclear ?? "two marks of the connection"
        }
        result.connectionMark = connectionMark ?? other.connectionMark
        return result
    }

    /// What is left without another region.
    enum Rest: Equatable {
        case nothing
        case region(Region)
        /// No region, since more than one dimension differs, or one of them is not exact.
        case inexpressible
    }

    /// This region without the packets of another one.
    func subtracting(_ other: Region) -> Rest {
        guard meets(other) else { return .region(self) }
        guard other.isExact, other.mark == nil || other.mark == mark,
            other.connectionMark == nil || other.connectionMark == connectionMark
        else { return .inexpressible }
        // In all dimensions but one the other must cover this one.
        var rest = self
        var differing = 0
        func cut<Element: Dimension>(_ part: WritableKeyPath<Region, Selection<Element>>) -> Bool {
            let (mine, theirs) = (self[keyPath: part], other[keyPath: part])
            if theirs.covers(mine) { return true }
            differing += 1
            guard theirs.excluded.isEmpty else { return false }
            rest[keyPath: part].excluded += theirs.included.filter { !mine.excluded.contains($0) }
            return true
        }
        guard cut(\.addresses), cut(\.sources), cut(\.macs), cut(\.inInterfaces), cut(\.outInterfaces) else {
            return .inexpressible
        }
        if let otherTransport = other.transport {
            guard transport == otherTransport else { return .inexpressible }
            for part in [\Region.sourcePorts, \Region.destinationPorts] {
                let left = Region.difference(self[keyPath: part], other[keyPath: part])
                if left.isEmpty { continue }
                // Without a port match fragments are of the region as well, and keep to it.
                guard self[keyPath: part] != [.all] else { return .inexpressible }
                differing += 1
                rest[keyPath: part] = left
            }
        }
        switch differing {
        case 0: return .nothing
        case 1: return rest.isVoid ? .nothing : .region(rest)
        default: return .inexpressible
        }
    }

    private var isVoid: Bool {
        addresses.isVoid || sources.isVoid || macs.isVoid || inInterfaces.isVoid || outInterfaces.isVoid
    }
}

extension Rule {
    /// The words of a condition that a configuration has none for.
    fileprivate func words(of condition: Condition) -> String {
        if case .other(let other) = condition, !other.bytes.isEmpty, other.bytes.allSatisfy({ (0x20...0x7e).contains($0) }) {
            let words = String(decoding: other.bytes, as: UTF8.self)
            return other.name == RuleParser.headOptions ? words : "-m \(other.name) \(words)"
        }
        return match.iptablesSyntax
    }
}
