extension ParsedRule {
    /// Whether some packet may fit both rules, by what is understood of them.
    package func mayMeet(_ other: ParsedRule) -> Bool {
        func meet(_ left: AddressMatch?, _ right: AddressMatch?) -> Bool {
            guard let left, let right else { return true }
            return switch (left.isInverted, right.isInverted) {
            case (false, false): left.prefix.overlaps(right.prefix)
            case (true, false): !left.prefix.contains(right.prefix)
            case (false, true): !right.prefix.contains(left.prefix)
            case (true, true): true
            }
        }
        func meet(_ left: InterfacePattern?, _ right: InterfacePattern?) -> Bool {
            guard let left, let right else { return true }
            return left.overlaps(right)
        }
        func ports(_ left: [PortRange]?, _ right: [PortRange]?) -> Bool {
            guard let left, let right else { return true }
            return left.contains { left in right.contains { left.overlaps($0) } }
        }
        guard meet(source, other.source), meet(destination, other.destination),
            meet(inInterface, other.inInterface), meet(outInterface, other.outInterface)
        else { return false }
        guard let left = transport, let right = other.transport else { return true }
        return left.transport == right.transport && ports(left.destinationPorts, right.destinationPorts)
            && ports(left.sourcePorts, right.sourcePorts)
    }
}

extension TransportMatch {
    /// The destination ports; nil: any.
    package var destinationPorts: [PortRange]? {
        switch ports {
        case .destination(let range): [range]
        case .destinations(let ranges): ranges
        default: nil
        }
    }

    /// The source ports; nil: any.
    package var sourcePorts: [PortRange]? {
        switch ports {
        case .source(let range): [range]
        case .sources(let ranges): ranges
        default: nil
        }
    }
}
