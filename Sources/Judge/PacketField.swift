// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Something that rules ask of a packet, besides marks.
enum PacketField: Hashable {
    case destination, source, protocolNumber, fragment, destinationPort, sourcePort, inInterface, outInterface, mac, state,
        tcpFlags, icmp
    /// A condition that is a yes or a no of its own.
    case answer(Condition)

    /// Whether its values are numbers of which rules ask for ranges.
    var isNumber: Bool {
        switch self {
        case .destination, .source, .destinationPort, .sourcePort, .mac, .icmp: true
        default: false
        }
    }
}

/// Numbers that a rule asks for, or all others.
struct NumberMatch {
    let ranges: [ClosedRange<UInt128>]
    let isInverted: Bool

    /// Whether some number from `lower` to `upper` may match.
    func isPossible(_ lower: UInt128, _ upper: UInt128) -> Bool {
        isInverted
            ? !ranges.contains { $0.lowerBound <= lower && upper <= $0.upperBound }
            : ranges.contains { $0.lowerBound <= upper && lower <= $0.upperBound }
    }
}

extension RuleMatch {
    /// Calls `body` with every field that it asks for.
    func forEachField(_ body: (PacketField) -> Void) {
        if destination != nil { body(.destination) }
        if source != nil { body(.source) }
        if transport != nil { body(.protocolNumber) }
        if isFurtherFragment != nil { body(.fragment) }
        if inInterface != nil { body(.inInterface) }
        if outInterface != nil { body(.outInterface) }
        for condition in conditions {
            switch condition {
            case .ports(let ports):
                body(.fragment)
                if ports.side != .source { body(.destinationPort) }
                if ports.side != .destination { body(.sourcePort) }
            case .tcpFlags:
                body(.fragment)
                body(.tcpFlags)
            case .icmp:
                body(.fragment)
                body(.icmp)
            case .mark, .connectionMark: break
            case .mac: body(.mac)
            case .connectionState: body(.state)
            case .addressRange(let side, _, _, _): body(side == .source ? .source : .destination)
            case .addressType, .set, .other: body(.answer(condition))
            }
        }
    }

    /// What it asks of a number.
    func numbers(_ field: PacketField) -> [NumberMatch] {
        var matches: [NumberMatch] = []
        func add(_ match: AddressMatch?) {
            guard let match else { return }
            matches.append(
                NumberMatch(ranges: [match.prefix.address.bits...match.prefix.last.bits], isInverted: match.isInverted))
        }
        if field == .destination { add(destination) }
        if field == .source { add(source) }
        for condition in conditions {
            switch (field, condition) {
            case (.destinationPort, .ports(let ports)) where ports.side != .source,
                (.sourcePort, .ports(let ports)) where ports.side != .destination:
                let ranges = ports.ranges.map { UInt128($0.lower)...UInt128($0.upper) }
                // One port alone does not say whether either of the two matches.
                let isEither = ports.side == .either
                matches.append(
                    NumberMatch(ranges: isEither ? ranges + [0...65535] : ranges, isInverted: ports.isInverted && !isEither))
            case (.mac, .mac(let address, let isInverted)):
                matches.append(NumberMatch(ranges: [UInt128(address.bits)...UInt128(address.bits)], isInverted: isInverted))
            case (.icmp, .icmp(let type, let codes, let isInverted)):
                let base = UInt128(type) << 8
                let range = type == 255 ? 0...0xffff : base + UInt128(codes.lowerBound)...base + UInt128(codes.upperBound)
                matches.append(NumberMatch(ranges: [range], isInverted: isInverted && type != 255))
            case (.destination, .addressRange(.destination, let first, let last, let isInverted)),
                (.source, .addressRange(.source, let first, let last, let isInverted)):
                guard first <= last else { continue }
                matches.append(NumberMatch(ranges: [first.bits...last.bits], isInverted: isInverted))
            default: break
            }
        }
        return matches
    }
}

extension JudgedPacket {
    /// Whether the field is known.
    func knows(_ field: PacketField) -> Bool {
        switch field {
        case .destination: destination != nil
        case .source: source != nil
        case .protocolNumber: protocolNumber != nil
        case .fragment: isFurtherFragment != nil
        // A packet without ports has none to ask for, and its rules are out already.
        case .destinationPort: destinationPort != nil || isFurtherFragment == true
        case .sourcePort: sourcePort != nil || isFurtherFragment == true
        case .inInterface: inInterface != nil
        case .outInterface: outInterface != nil
        case .mac: mac != nil
        case .state: state != nil
        case .tcpFlags: tcpFlags != nil || isFurtherFragment == true
        case .icmp: icmpNumber != nil || isFurtherFragment == true
        case .answer(let condition): answers[condition] != nil
        }
    }

    mutating func set(_ field: PacketField, _ number: UInt128) {
        switch field {
        case .destination: destination = Address(family: family, bits: number)
        case .source: source = Address(family: family, bits: number)
        case .destinationPort: destinationPort = UInt16(truncatingIfNeeded: number)
        case .sourcePort: sourcePort = UInt16(truncatingIfNeeded: number)
        case .mac: mac = MACAddress(bits: UInt64(truncatingIfNeeded: number))
        case .icmp: icmpNumber = UInt16(truncatingIfNeeded: number)
        default: break
        }
    }
}

extension PacketField {
    /// The greatest number.
    func maximum(_ family: Family) -> UInt128 {
        switch self {
        case .destination, .source: family == .ipv4 ? 0xffff_ffff : .max
        case .mac: 0xffff_ffff_ffff
        default: 0xffff
        }
    }

    /// The packets, one for each value that the rules tell apart.
    func packets(_ packet: JudgedPacket, _ matches: [RuleMatch]) -> [JudgedPacket] {
        func each<Value>(_ values: [Value], _ path: WritableKeyPath<JudgedPacket, Value?>) -> [JudgedPacket] {
            values.map { value in
                var packet = packet
                packet[keyPath: path] = value
                return packet
            }
        }
        switch self {
        case .protocolNumber:
            let named = Set(matches.compactMap { $0.transport?.number })
            return each(Array(named.sorted()) + [(1...254).first { !named.contains($0) } ?? 255], \.protocolNumber)
        case .fragment: return each([false, true], \.isFurtherFragment)
        case .inInterface: return each(PacketField.names(matches.compactMap(\.inInterface)), \.inInterface)
        case .outInterface: return each(PacketField.names(matches.compactMap(\.outInterface)), \.outInterface)
        case .state: return each([.new, .established, .related, .invalid, .untracked], \.state)
        case .tcpFlags: return each((0..<64).map { UInt8($0) }, \.tcpFlags)
        case .answer(let condition):
            return [true, false].map { answer in
                var packet = packet
                packet.answers[condition] = answer
                return packet
            }
        default: return [packet]
        }
    }

    /// A name for each set of patterns that some name matches.
    private static func names(_ matches: [InterfaceMatch]) -> [String] {
        var names: Set<String> = ["~"]
        for pattern in matches.map(\.pattern) { names.insert(pattern.isPrefix ? pattern.name + "~" : pattern.name) }
        return names.sorted()
    }
}
