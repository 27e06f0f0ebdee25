// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A question for `explain`: the packet, and by which rules.
///
/// The parameters of `GET /v1/explain` and the options of `fwmarkctl explain` have the same names and the same values.
package struct PacketQuestion: Sendable, Hashable {
    /// The protocol's number in the IP header.
    package var protocolNumber: UInt8
    /// Where the packet comes from; of the same family as `destination`.
    package var source: Address
    /// Its source port; nil for protocols without ports.
    package var sourcePort: UInt16?
    /// Where it goes.
    package var destination: Address
    /// Its destination port; nil for protocols without ports.
    package var destinationPort: UInt16?
    /// The interface that it comes in by; nil: not given.
    package var inInterface: String?
    /// The interface that it leaves by; nil: not given.
    package var outInterface: String?
    /// Where it enters: `prerouting`, `input` or `output`.
    package var hook: Hook
    /// By which rules.
    package var view: Explanation.View

    /// The names of the parameters.
    package static let parameters = [
        "protocol", "source", "destination", "in-interface", "out-interface", "hook", "kernel",
    ]
    /// Where a packet can enter.
    package static let hooks: [Hook] = [.prerouting, .input, .output]

    /// The question that parameters ask.
    ///
    /// - Parameter value: the value of a parameter by its name; nil: it was not given.
    package init(_ value: (String) -> String?) throws(InvalidParameter) {
        func needed(_ name: String) throws(InvalidParameter) -> String {
            guard let text = value(name), !text.isEmpty else { throw InvalidParameter(name, "missing") }
            return text
        }
        protocolNumber = try PacketQuestion.protocolNumber(try needed("protocol"))
        let hasPorts = TransportProtocol(number: protocolNumber) != nil
        (source, sourcePort) = try PacketQuestion.end("source", try needed("source"), hasPorts)
        (destination, destinationPort) = try PacketQuestion.end("destination", try needed("destination"), hasPorts)
        guard source.family == destination.family else {
            throw InvalidParameter("destination", "\(destination) is not of the family of the source, \(source)")
        }
        inInterface = try PacketQuestion.interface("in-interface", value("in-interface"))
        outInterface = try PacketQuestion.interface("out-interface", value("out-interface"))
        let hookName = value("hook") ?? Hook.prerouting.rawValue
        guard let hook = Hook(rawValue: hookName), PacketQuestion.hooks.contains(hook) else {
            throw InvalidParameter("hook", "invalid value \"\(printable(hookName))\": it is prerouting, input or output")
        }
        self.hook = hook
        switch value("kernel") {
        case nil, "false": view = .configuration
        case "true": view = .kernel
        case let other?: throw InvalidParameter("kernel", "invalid value \"\(printable(other))\": it is true or false")
        }
    }

    /// The packet as the answer repeats it.
    package var packet: ExplainedPacket {
        ExplainedPacket(
            transport: ProtocolMatch.names.first { $0.number == protocolNumber }?.name ?? "\(protocolNumber)",
            source: "\(source)", sourcePort: sourcePort, destination: "\(destination)", destinationPort: destinationPort,
            hook: hook.rawValue, inInterface: inInterface, outInterface: outInterface)
    }

    // MARK: - Values

    /// Names of IANA's registry of assigned Internet protocol numbers that iptables does not know by itself.
    private static let furtherProtocols: [String: UInt8] = [
        "icmpv6": 58, "igmp": 2, "ipip": 4, "gre": 47, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115,
    ]

    private static func protocolNumber(_ text: String) throws(InvalidParameter) -> UInt8 {
        let name = text.lowercased()
        if let known = ProtocolMatch.names.first(where: { $0.name == name && $0.number != 0 }) { return known.number }
        if let further = furtherProtocols[name] { return further }
        guard let number = UInt8(text), number > 0 else {
            throw InvalidParameter(
                "protocol", "invalid value \"\(printable(text))\": it is a name like tcp, udp, icmp, esp, or a number from 1 to 255"
            )
        }
        return number
    }

    /// `198.51.100.7:40000`, `[2001:db8::7]:40000`, or an address alone where there are no ports.
    private static func end(
        _ name: String, _ text: String, _ hasPorts: Bool
    ) throws(InvalidParameter) -> (Address, UInt16?) {
        if let address = try? Address(parsing: text) {
            guard !hasPorts else {
                let example = address.family == .ipv6 ? "[\(address)]:21" : "\(address):21"
                throw InvalidParameter(name, "the port is missing, as in \(example)")
            }
            return (address, nil)
        }
        let invalid = InvalidParameter(
            name, "invalid value \"\(printable(text))\": it is written as 198.51.100.7:40000 or [2001:db8::7]:40000")
        guard let colon = text.lastIndex(of: ":") else { throw invalid }
        let digits = text[text.index(after: colon)...]
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let port = UInt16(digits),
            let address = try? Address(parsing: String(isBracketed ? host.dropFirst().dropLast() : host)),
            (address.family == .ipv6) == isBracketed
        else { throw invalid }
        guard hasPorts else {
            throw InvalidParameter(name, "the protocol has no ports, so the address is written alone: \(address)")
        }
        return (address, port)
    }

    private static func interface(_ name: String, _ text: String?) throws(InvalidParameter) -> String? {
        guard let text, !text.isEmpty else { return nil }
        guard let pattern = try? InterfacePattern(parsing: text), !pattern.isPrefix else {
            throw InvalidParameter(name, "invalid value \"\(printable(text))\": no interface can have this name")
        }
        return text
    }
}
