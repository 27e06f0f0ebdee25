// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Judge
import Planner
import Rules
import Testing

@Suite("Sources among many services")
struct SourcesTests {
    @Test("Ten thousand services of which one in ten has sources cost a packet at most a fifth more than without", arguments: 0..<4)
    func cost(_ kind: Int) throws {
        let plain = try services()
        var others = plain
        for index in stride(from: 3, to: others.count, by: 10) { others[index].sources = try sources(kind) }
        let (before, after) = (PacketWalk(plan(plain)), PacketWalk(plan(others)))
        var (without, with) = (0.0, 0.0)
        for index in stride(from: 0, to: plain.count, by: 7) {
            let packet = packet(to: address(index))
            without += cost(of: packet, before)
            with += cost(of: packet, after)
        }
        #expect(with <= 1.2 * without, "\(with / without)")
        // A packet for none of them meets as few as before.
        let stray = packet(to: Address(ipv4: 0x0808_0808))
        #expect(after.rulesMet(stray) <= before.rulesMet(stray) + 1)
    }

    private static let count = 10_000

    private func services() throws -> [Service] {
        let mark = try Mark(80)
        return (0..<SourcesTests.count).map {
            Service(
                name: "s\($0)", mark: mark, addresses: Selection([Prefix(address($0))]), traffic: Traffic(tcp: [PortRange(80)]))
        }
    }

    private func address(_ index: Int) -> Address { Address(ipv4: 0x0a00_0000 + UInt32(index)) }

    /// One prefix, several, all but one, and one without two parts of it.
    private func sources(_ kind: Int) throws -> Selection<Prefix> {
        func prefixes(_ texts: String...) throws -> [Prefix] { try texts.map { try Prefix(parsing: $0) } }
        switch kind {
        case 0: return Selection(try prefixes("198.51.100.0/24"))
        case 1: return Selection(try prefixes("198.51.100.0/24", "192.0.2.0/24", "203.0.113.0/24"))
        case 2: return Selection([], excluding: try prefixes("192.0.2.0/24"))
        default: return Selection(try prefixes("198.51.0.0/16"), excluding: try prefixes("198.51.101.0/24", "198.51.102.0/24"))
        }
    }

    private func plan(_ services: [Service]) -> Plan { Planner.plan(for: Configuration(services: services)) }

    private func packet(to address: Address) -> JudgedPacket {
        var packet = JudgedPacket(.ipv4)
        (packet.protocolNumber, packet.source, packet.sourcePort) = (6, Address(ipv4: 0xc633_6401), 1)
        (packet.destination, packet.destinationPort) = (address, 80)
        return packet
    }

    /// Nanoseconds, as measured: a rule that is not met, a jump, a goto, a mark with its comment.
    private func cost(of packet: JudgedPacket, _ walk: PacketWalk) -> Double {
        let judgement = walk.judge(packet)
        return judgement.steps.reduce(107 + 2.9 * Double(walk.rulesMet(judgement))) { sum, step in
            switch step.rule.target {
            case .jump: sum + 34
            case .goTo: sum + 6.5
            case .mark: sum + 51 + (step.rule.comment == nil ? 0 : 43)
            default: sum
            }
        }
    }
}
