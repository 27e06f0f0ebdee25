import Rules
import Testing

@testable import ConfigurationFile

@Suite("Conflicts of marks")
struct MarkConflictsTests {
    @Test("What is found is what comparing every service with every other one finds", arguments: 0..<200)
    func bruteForce(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for _ in 0..<20 {
            let services = try (0..<Int.random(in: 2...12, using: &random)).map { try service($0, &random) }
            let found = MarkConflicts.find(in: services)
            #expect(found.map { [$0.later, $0.earlier] } == expected(services), "\(services)")
            for conflict in found {
                // The example is one of both services.
                for service in [services[conflict.later], services[conflict.earlier]] {
                    #expect(service.addresses.contains { $0.contains(conflict.prefix) })
                    #expect(
                        (service.ports[conflict.transport] ?? []).contains {
                            $0.contains(conflict.ports.lower) && $0.contains(conflict.ports.upper)
                        })
                }
            }
        }
    }

    @Test("The answer does not depend on the order in which a dictionary is walked")
    func isStable() throws {
        var random = SplitMix(state: 7)
        let services = try (0..<200).map { try service($0, &random) }
        let first = MarkConflicts.find(in: services)
        #expect(!first.isEmpty)
        for _ in 0..<5 { #expect(MarkConflicts.find(in: services) == first) }
    }

    /// For each later service the first earlier one that it is in conflict with.
    private func expected(_ services: [Service]) -> [[Int]] {
        services.indices.compactMap { later in
            services.indices.prefix(later).first { areInConflict(services[later], services[$0]) }.map { [later, $0] }
        }
    }

    /// By the definition: is there a packet that both would mark, and do they disagree about a bit of its mark?
    private func areInConflict(_ a: Service, _ b: Service) -> Bool {
        let marksAgree = (a.mark.value ^ b.mark.value) & a.mark.mask & b.mark.mask == 0
        let interfaces = ["eth0", "eth1", "wlan0", "lo"]
        let interfacesMeet = interfaces.contains { name in
            (a.inInterface?.matches(name) ?? true) && (b.inInterface?.matches(name) ?? true)
        }
        let addressesMeet = a.addresses.contains { left in
            b.addresses.contains { right in left.family == right.family && left.address <= right.last && right.address <= left.last
            }
        }
        // All ports of these services are small.
        let portsMeet = TransportProtocol.allCases.contains { transport in
            (0...UInt16(12)).contains { port in
                [a, b].allSatisfy { ($0.ports[transport] ?? []).contains { $0.contains(port) } }
            }
        }
        return !marksAgree && interfacesMeet && addressesMeet && portsMeet
    }

    private func service(_ index: Int, _ random: inout SplitMix) throws -> Service {
        let masks: [UInt32] = [.max, .max, .max, 0xff, 0xff00, 0x1ff]
        let mask = masks.randomElement(using: &random) ?? .max
        var value: UInt32 = 0
        while value == 0 { value = UInt32.random(in: 1...3, using: &random) &* (mask & 0x101) & mask }
        let addresses = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            let family: Family = Bool.random(using: &random) ? .ipv4 : .ipv6
            let length = family.bitWidth - [0, 0, 1, 2, 3, family.bitWidth][Int.random(in: 0..<6, using: &random)]
            return Prefix(containing: Address(family: family, bits: UInt128.random(in: 0...15, using: &random)), length: length)
        }
        var ports: [TransportProtocol: [PortRange]] = [:]
        for transport in TransportProtocol.allCases where Bool.random(using: &random) || transport == .tcp {
            ports[transport] = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                let lower = UInt16.random(in: 1...10, using: &random)
                return PortRange(lower, lower + (Bool.random(using: &random) ? 0 : UInt16.random(in: 0...2, using: &random)))
            }
        }
        let interface = [nil, nil, "eth0", "eth1", "eth+", "lo", "+"][Int.random(in: 0..<7, using: &random)]
        return Service(
            name: "s\(index)", mark: try Mark(value, mask: mask), addresses: addresses, ports: ports,
            inInterface: try interface.map { try InterfacePattern(parsing: $0) },
            position: SourcePosition(file: "f", line: index + 1, column: 1))
    }
}

/// Random numbers that are the same in each run (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
