// SPDX-License-Identifier: GPL-2.0-or-later
import Judge
import PacketSupport
import RandomConfigurations
import RandomNumbers
import Rules

/// Packets about what rules are about: the first and the last address and port that one of them means, those right
/// beside them, and some within. One half is what the rule asks for in everything else as well.
struct RandomPackets {
    private let family: Family
    private let rules: [RuleMatch]
    private let all: Prefix

    init(_ ruleset: Ruleset, _ id: TableID) {
        family = id.family
        let found = (ruleset.tables[id] ?? []).flatMap(\.rules).map(\.match)
        rules = found.isEmpty ? [RuleMatch()] : found
        all = Prefix(containing: Address(family: id.family, bits: 0), length: 0)
    }

    func next(_ numbers: inout SeededNumbers) -> JudgedPacket {
        let rule = any(&numbers)
        let other = Bool.random(using: &numbers) ? rule : any(&numbers)
        var packet = JudgedPacket(family)
        packet.protocolNumber = protocolNumber(other, &numbers)
        packet.source = address(rule.source, &numbers)
        packet.destination = address(rule.destination, &numbers)
        packet.sourcePort = port(other, .source, &numbers)
        packet.destinationPort = port(other, .destination, &numbers)
        return packet
    }

    /// One that rules ask for, and now and then another.
    private func protocolNumber(_ rule: RuleMatch, _ numbers: inout SeededNumbers) -> UInt8 {
        let others: [UInt8] = [
            6, 17, 132, 50, 47, TestPacket.authentication, family == .ipv4 ? 1 : TestPacket.portless, TestPacket.portless,
        ]
        let number = rule.transport?.number ?? others.randomElement(using: &numbers) ?? 6
        let isKnown = others.contains(number)
        return Int.random(in: 0..<8, using: &numbers) == 0 || !isKnown ? others.randomElement(using: &numbers) ?? 6 : number
    }

    private func any(_ numbers: inout SeededNumbers) -> RuleMatch { rules.randomElement(using: &numbers) ?? rules[0] }

    private func port(_ rule: RuleMatch, _ side: PortMatch.Side, _ numbers: inout SeededNumbers) -> UInt16 {
        var range = PortRange.all
        for case .ports(let match) in rule.conditions where match.side == side {
            range = match.ranges.randomElement(using: &numbers) ?? .all
        }
        return switch Int.random(in: 0..<8, using: &numbers) {
        case 0: range.lower &- 1
        case 1: range.upper &+ 1
        case 2, 3: range.upper
        case 4, 5: range.lower
        default: .random(in: range.lower...range.upper, using: &numbers)
        }
    }

    private func address(_ match: AddressMatch?, _ numbers: inout SeededNumbers) -> Address {
        var prefix = match?.prefix ?? all
        while true {
            let (first, last) = (prefix.address.bits, prefix.last.bits)
            let bits: UInt128 =
                switch Int.random(in: 0..<8, using: &numbers) {
                case 0: first &- 1
                case 1: last &+ 1
                case 2, 3: last
                case 4, 5: .random(in: first...last, using: &numbers)
                default: first
                }
            let address = Address(family: family, bits: bits)
            if isOrdinary(address) { return address }
            prefix = all
        }
    }

    /// Whether the address may be in a packet between hosts. Others are thrown away by the kernel before or after the
    /// tables: 0.0.0.0/8, 127.0.0.0/8, multicast; the like of IPv6, link-local and mapped addresses.
    private func isOrdinary(_ address: Address) -> Bool {
        switch family {
        case .ipv4: ![0, 127].contains(address.bits >> 24) && address.bits >> 24 < 224
        case .ipv6: address.bits >> 48 != 0 && address.bits >> 120 < 0xfe
        }
    }
}
