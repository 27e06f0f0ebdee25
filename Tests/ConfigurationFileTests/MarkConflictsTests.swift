// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import RandomConfigurations
import Rules
import Testing

@Suite("Services that would give one packet two marks")
struct MarkConflictsTests {
    @Test("They are the ones that the definition finds, over random services with every word", arguments: 0..<40)
    func definition(_ seed: UInt64) {
        var random = RandomConfiguration(seed: seed + 1, isCrowded: seed % 4 == 0)
        for _ in 0..<40 {
            let services = random.configuration(services: 14, masquerades: 0, allowsConflicts: true).allServices
            #expect(MarkConflicts.find(in: services).map { [$0.later, $0.earlier] } == expected(services), "\(services)")
        }
    }

    @Test("The example at the head of MarkConflicts: a thousand ports of one address, and a service that takes them all")
    func example() throws {
        func service(_ mark: UInt32, _ ports: PortRange) throws -> Service {
            Service(
                name: "s", mark: try Mark(mark), addresses: Selection([try Prefix(parsing: "203.0.113.10")]),
                traffic: Traffic(tcp: [ports]))
        }
        var services = try (1...1000 as ClosedRange<UInt16>).map { try service(100 + UInt32($0), PortRange($0)) }
        services.append(try service(7, PortRange(1, 1000)))
        #expect(MarkConflicts.find(in: services) == [Contradiction(later: 1000, earlier: 0)])
    }

    @Test("A random configuration is found to be one whose services agree, and most have several")
    func sound() {
        var random = RandomConfiguration(seed: 77)
        var (several, conflicting) = (0, 0)
        for _ in 0..<200 {
            let services = random.configuration(services: 14, masquerades: 0, allowsConflicts: true).allServices
            if services.count > 5 { several += 1 }
            if !expected(services).isEmpty { conflicting += 1 }
        }
        // Else the comparison with the definition compares nothing.
        #expect(several > 80 && conflicting > 40 && conflicting < 195)
    }

    /// For each later service the first earlier one that it is in conflict with.
    private func expected(_ services: [Service]) -> [[Int]] {
        services.indices.compactMap { later in
            services.indices.prefix(later).first { Packets.areInConflict(services[later], services[$0]) }.map { [later, $0] }
        }
    }
}

/// Packets by the definition of the language, without a thought of speed.
enum Packets {
    /// Is there a packet that both would mark, and do they disagree about a bit of its mark?
    static func areInConflict(_ a: Service, _ b: Service) -> Bool {
        guard (a.mark.value ^ b.mark.value) & a.mark.mask & b.mark.mask != 0 else { return false }
        func places(_ service: Service) -> Set<Int> { Set(service.hooks.map { $0 == .output ? 1 : 0 }) }
        guard !places(a).isDisjoint(with: places(b)), trafficMeets(a.traffic, b.traffic) else { return false }
        let macs = (0...4).map { MACAddress(bits: 0x0200_5e10_0000 + UInt64($0)) }
        guard macs.contains(where: { mac in [a, b].allSatisfy { matches($0.sourceMACs) { $0 == mac } } }) else { return false }
        let names = ["eth0", "eth1", "eth", "eth00", "wan0", "wan", "lo", "eth11"]
        guard names.contains(where: { name in [a, b].allSatisfy { matches($0.inInterfaces) { $0.matches(name) } } }) else {
            return false
        }
        return Family.allCases.contains { family in
            addressMeets([a.addresses, b.addresses], family) && addressMeets([a.sources, b.sources], family)
        }
    }

    static func matches<Element>(_ selection: Selection<Element>, _ isMeant: (Element) -> Bool) -> Bool {
        (selection.included.isEmpty || selection.included.contains(where: isMeant)) && !selection.excluded.contains(where: isMeant)
    }

    /// Whether some address matches all lists: one at an edge of a prefix, or right beside one.
    static func addressMeets(_ lists: [Selection<Prefix>], _ family: Family) -> Bool {
        var candidates: Set<Address> = [Address(family: family, bits: 0)]
        for prefix in lists.flatMap({ $0.included + $0.excluded }) where prefix.family == family {
            candidates.insert(prefix.address)
            if prefix.last.bits != Prefix(containing: prefix.address, length: 0).last.bits {
                candidates.insert(Address(family: family, bits: prefix.last.bits + 1))
            }
        }
        return candidates.contains { address in lists.allSatisfy { matches($0) { $0.contains(address) } } }
    }

    static func trafficMeets(_ a: Traffic, _ b: Traffic) -> Bool {
        if a.isEverything { return !b.isEmpty }
        if b.isEverything { return !a.isEmpty }
        return !Set(a.protocols).isDisjoint(with: b.protocols)
            || TransportProtocol.allCases.contains { transport in
                a[transport].contains { one in b[transport].contains { $0.overlaps(one) } }
            }
    }
}
