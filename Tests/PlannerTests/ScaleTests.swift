// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Glibc
import Planner
import Rules
import Testing

/// Shapes of configurations that are slow to plan, or become too many rules, where a step is done for each pair of entries.
@Suite(
    "Twenty thousand of anything are planned in time that grows as n log n, into no more rules than a fifth above the plain order")
struct ScaleTests {
    @Test(
        "Four times as many entries take less than eight times as long",
        arguments: [
            Shape("masquerades with one source", Shape.masqueradesWithOneSource),
            Shape("one masquerade with many destinations", Shape.masqueradeWithManyDestinations),
            Shape("one masquerade that excludes many", Shape.masqueradeThatExcludesMany),
            Shape("masquerades in turn with a wide and a narrow source", Shape.alternatingMasquerades),
            Shape("overlapping port ranges of one mark", Shape.overlappingRanges),
            Shape("services on one address that differ in interface", Shape.interfacesOnOneAddress),
            Shape("scattered ports on one address", { Shape.scatteredPorts($0, addresses: 1) }),
            Shape("scattered ports on sixteen addresses", { Shape.scatteredPorts($0, addresses: 16) }),
            Shape("one service with many interfaces", Shape.manyInterfaces),
            Shape("one service with many sources and exceptions", Shape.manySources),
            Shape("services with two sources", Shape.twoSources),
            Shape("services with pairs of ports on one address", Shape.pairsOfPorts),
            Shape("services nested in one another", Shape.nested),
        ])
    func shape(_ shape: Shape) throws {
        func plan(_ count: Int, _ layout: Planner.Layout) -> (rules: Int, seconds: Double) {
            let configuration = shape.make(count)
            let start = processorSeconds()
            let rules = Planner.plan(for: configuration, layout: layout, onOneThread: true).ruleset.ruleCount
            return (rules, processorSeconds() - start)
        }
        let plain = plan(20_000, .plain)
        let few = (0..<3).map { _ in plan(5000, .automatic).seconds }.min() ?? 0
        let tree = plan(20_000, .automatic)
        // Four times as many: sixteen times as long where each pair of entries is looked at.
        #expect(tree.seconds < 8 * few + 0.05, "\(few) for a quarter")
        #expect(tree.rules <= plain.rules * 6 / 5, "\(tree.rules) of \(plain.rules)")
        print("\(shape.name): \(plain.rules) rules plain, \(tree.rules) in a tree, \(tree.seconds) s")
    }
}

/// What this thread has used of a processor: other work on the machine does not count.
private func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// A shape of configurations, of any number of entries.
struct Shape: Sendable, CustomTestStringConvertible {
    let name: String
    let make: @Sendable (Int) -> Configuration
    var testDescription: String { name }

    init(_ name: String, _ make: @escaping @Sendable (Int) -> Configuration) {
        self.name = name
        self.make = make
    }

    private static func address(_ index: Int, _ first: UInt32 = 0x0a00_0000) -> Prefix {
        Prefix(Address(ipv4: first + UInt32(index)))
    }

    private static func service(_ index: Int, _ address: Prefix, _ traffic: Traffic) -> Service {
        guard let mark = try? Mark(7) else { preconditionFailure("7 is a mark") }
        return Service(name: "s\(index)", mark: mark, addresses: Selection([address]), traffic: traffic)
    }

    private static let web = Traffic(tcp: [PortRange(80)])

    static func masqueradesWithOneSource(_ count: Int) -> Configuration {
        Configuration(
            masquerades: (0..<count).map {
                Masquerade(name: "m\($0)", sources: Selection([address(0)]), destinations: Selection([address($0)]))
            })
    }

    static func masqueradeWithManyDestinations(_ count: Int) -> Configuration {
        Configuration(masquerades: [
            Masquerade(name: "m", sources: Selection([address(0)]), destinations: Selection((0..<count).map { address($0) }))
        ])
    }

    static func masqueradeThatExcludesMany(_ count: Int) -> Configuration {
        let everyOther = (0..<count).map { address($0 * 2) }
        return Configuration(masquerades: [
            Masquerade(
                name: "m", sources: Selection([address(0)]),
                destinations: Selection((0..<count).map { address($0, 0x0b00_0000) }, excluding: everyOther))
        ])
    }

    static func alternatingMasquerades(_ count: Int) -> Configuration {
        let wide = Prefix(containing: Address(ipv4: 0x0a00_0000), length: 8)
        return Configuration(
            masquerades: (0..<count).map {
                Masquerade(
                    name: "m\($0)", sources: Selection([$0 % 2 == 0 ? wide : address($0)]),
                    destinations: Selection([address($0, 0x0b00_0000)]))
            })
    }

    static func overlappingRanges(_ count: Int) -> Configuration {
        Configuration(
            services: (0..<count).map { service($0, address(0), Traffic(tcp: [PortRange(UInt16($0 + 1), UInt16($0 + 20_000))])) })
    }

    static func interfacesOnOneAddress(_ count: Int) -> Configuration {
        Configuration(
            services: (0..<count).compactMap {
                var service = service($0, address(0), web)
                service.inInterfaces = Selection((try? InterfacePattern(parsing: "ppp\($0)")).map { [$0] } ?? [])
                return service
            })
    }

    static func scatteredPorts(_ count: Int, addresses: Int) -> Configuration {
        let ports = (0..<min(count, 32_767)).map { PortRange(UInt16(2 * $0 + 1)) }
        var one = service(0, address(0), Traffic(tcp: ports))
        one.addresses = Selection((0..<addresses).map { address($0 * 7) })
        return Configuration(services: [one])
    }

    static func manyInterfaces(_ count: Int) -> Configuration {
        var one = service(0, address(0), web)
        one.inInterfaces = Selection((0..<count).compactMap { try? InterfacePattern(parsing: "ppp\($0)") })
        return Configuration(services: [one])
    }

    static func manySources(_ count: Int) -> Configuration {
        var one = service(0, address(0), web)
        one.sources = Selection(
            (0..<count).map { Prefix(containing: Address(ipv4: UInt32($0) << 8), length: 24) },
            excluding: (0..<count).map { Prefix(Address(ipv4: UInt32($0) << 8)) })
        return Configuration(services: [one])
    }

    static func twoSources(_ count: Int) -> Configuration {
        Configuration(
            services: (0..<count).map {
                var service = service($0, address($0), web)
                service.sources = Selection([address($0, 0x0b00_0000), address($0, 0x0c00_0000)])
                return service
            })
    }

    static func pairsOfPorts(_ count: Int) -> Configuration {
        Configuration(
            services: (0..<count).map {
                service($0, address(0), Traffic(tcp: [PortRange(UInt16($0 + 1)), PortRange(UInt16($0 + 30_000))]))
            })
    }

    static func nested(_ count: Int) -> Configuration {
        Configuration(
            services: (0..<count).map { index in
                let length = 8 + index % 25
                return service(index, Prefix(containing: Address(ipv4: 0x0a00_0000 + UInt32(index)), length: length), web)
            })
    }
}
