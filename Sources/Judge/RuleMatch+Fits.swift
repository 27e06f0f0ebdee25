// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

extension RuleMatch {
    /// Whether the packet matches, at that hook; nil: that depends on what is not known of it.
    package func fits(_ packet: JudgedPacket, at hook: Hook) -> Bool? {
        var isSure = true
        for part in [
            source.map { match in packet.source.map(match.matches) } ?? true,
            destination.map { match in packet.destination.map(match.matches) } ?? true,
            fits(inInterface, packet.inInterface, exists: hook != .output),
            fits(outInterface, packet.outInterface, exists: hook == .postrouting || hook == .output || hook == .forward),
            transport.map { match in packet.protocolNumber.map(match.matches) } ?? true,
            isFurtherFragment.map { wanted in packet.isFurtherFragment.map { $0 == wanted } } ?? true,
        ] {
            if part == false { return false }
            if part == nil { isSure = false }
        }
        for condition in conditions {
            switch condition.fits(packet, transport) {
            case false?: return false
            case nil: isSure = false
            case true?: break
            }
        }
        return isSure ? true : nil
    }

    /// Where a hook has no such interface, the kernel compares with an empty name. POSTROUTING knows by which one a packet that is
    /// passed on came in (`ip_output` in `net/ipv4/ip_output.c`, since Linux 5.7).
    private func fits(_ match: InterfaceMatch?, _ name: String?, exists: Bool) -> Bool? {
        guard let match else { return true }
        return exists ? name.map(match.matches) : match.matches("")
    }
}

extension Condition {
    /// Whether the packet matches; nil: that depends on what is not known of it.
    func fits(_ packet: JudgedPacket, _ transport: ProtocolMatch?) -> Bool? {
        switch self {
        case .ports(let ports): ported(packet) { ports.fits(packet) }
        case .tcpFlags(let examined, let set, let isInverted):
            ported(packet) { packet.tcpFlags.map { ($0 & examined == set) != isInverted } }
        case .icmp(let type, let codes, let isInverted):
            ported(packet) {
                packet.icmp.map { found in
                    let isAny = type == 255 && packet.family == .ipv4
                    return (isAny || found.type == type && codes.contains(found.code)) != isInverted
                }
            }
        case .mark(let match): packet.mark.matches(match)
        case .connectionMark(let match): packet.connectionMark.matches(match)
        case .mac(let address, let isInverted): packet.isFromEthernet ? packet.mac.map { ($0 == address) != isInverted } : false
        case .connectionState(let states, let isInverted): fits(states, isInverted, packet)
        case .addressRange(let side, let first, let last, let isInverted):
            (side == .source ? packet.source : packet.destination).map { (first <= $0 && $0 <= last) != isInverted }
        case .other(.authenticationHeader) where packet.answers[self] == nil: packet.protocolNumber.map { $0 == 51 }
        case .addressType, .set, .other: packet.answers[self]
        }
    }

    /// A further fragment has no header of a protocol, and no match that reads one takes it.
    private func ported(_ packet: JudgedPacket, _ body: () -> Bool?) -> Bool? {
        switch packet.isFurtherFragment {
        case true?: false
        case false?: body()
        case nil: body() == false ? false : nil
        }
    }

    private func fits(_ states: ConnectionStates, _ isInverted: Bool, _ packet: JudgedPacket) -> Bool? {
        guard let state = packet.state else { return nil }
        var parts: [Bool?] = [!states.isDisjoint(with: state)]
        // What is not followed, or belongs to nothing, is not translated.
        if state.isDisjoint(with: [.invalid, .untracked]) {
            if states.contains(.destinationTranslated) { parts.append(packet.isDestinationTranslated) }
            if states.contains(.sourceTranslated) { parts.append(packet.isSourceTranslated) }
        }
        return parts.contains(true) ? !isInverted : parts.contains(nil) ? nil : isInverted
    }
}

extension PortMatch {
    fileprivate func fits(_ packet: JudgedPacket) -> Bool? {
        func isInside(_ port: UInt16?) -> Bool? { port.map { port in ranges.contains { $0.contains(port) } } }
        let found: Bool?
        switch side {
        case .source: found = isInside(packet.sourcePort)
        case .destination: found = isInside(packet.destinationPort)
        case .either:
            let both = [isInside(packet.sourcePort), isInside(packet.destinationPort)]
            found = both.contains(true) ? true : both.contains(nil) ? nil : false
        }
        return found.map { $0 != isInverted }
    }
}
