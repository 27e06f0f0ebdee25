// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Judge
import RandomConfigurations
import Rules
import Testing

@testable import Planner

@Suite("The shape of the dispatch tree")
struct DispatchTreeTests {
    @Test("A packet finds the rules of its address by the bits of its address; a prefix that contains others is before them")
    func picture() throws {
        let addresses = (1...15).map { "192.0.2.\($0)" } + ["192.0.2.64", "192.0.2.128/25", "192.0.2.200"]
        let services = try addresses.map { try service($0, $0.filter { $0 != "/" }) }
        let lines = lines(Configuration(services: services), layout: .tree, comments: false).map {
            $0.replacing(" -j MARK --set-xmark 0x50/0xffffffff", with: "").replacing("-A fwmarkd-", with: "")
        }
        #expect(
            lines.prefix(6) == [
                "ipv4 mangle", "mark -p tcp -m tcp --dport 80 -g fwmarkd-m-root", "m-root -d 192.0.2.128/25",
                "m-root -d 192.0.2.0/28 -g fwmarkd-m-c0000200-28", "m-root -d 192.0.2.64/32", "m-root -d 192.0.2.200/32",
            ])
        #expect(lines.dropFirst(6) == (1...15).map { "m-c0000200-28 -d 192.0.2.\($0)/32" }[...])
    }

    @Test("The port match is as high as the services below share it: the example at the head of DispatchTree")
    func hoisting() throws {
        var services = try (1...20).map { try service("192.0.2.\($0)", "s\($0)") }
        services[0].traffic.tcp.append(PortRange(8080))
        let lines = lines(Configuration(services: services), layout: .tree, comments: false).map {
            $0.replacing(" -j MARK --set-xmark 0x50/0xffffffff", with: "").replacing("-A fwmarkd-", with: "")
        }
        #expect(lines[1] == "mark -p tcp -g fwmarkd-m-root")
        #expect(
            lines.filter { $0.hasPrefix("m-root") } == [
                "m-root -d 192.0.2.0/28 -g fwmarkd-m-c0000200-28",
                "m-root -d 192.0.2.16/28 -p tcp -m tcp --dport 80 -g fwmarkd-m-c0000210-28",
            ])
        #expect(lines.contains("m-c0000200-28 -d 192.0.2.1/32 -p tcp -m multiport --dports 80,8080"))
        #expect(lines.contains("m-c0000200-28 -d 192.0.2.2/32 -p tcp -m tcp --dport 80"))
        #expect(lines.contains("m-c0000210-28 -d 192.0.2.16/32"))
    }

    @Test("Each protocol has a tree of its own; rules for every protocol are met first, and the packet comes back")
    func protocols() throws {
        var services = try (1...20).map { try service("192.0.2.\($0)", "s\($0)") }
        for index in services.indices { services[index].traffic.udp = [PortRange(443)] }
        services[3].traffic = Traffic(isEverything: true)
        services[4].traffic = Traffic(protocols: [50])
        services[5].traffic = Traffic(protocols: [50])
        let lines = lines(Configuration(services: services), layout: .tree, comments: false)
        #expect(
            lines.filter { $0.hasPrefix("-A fwmarkd-mark ") } == [
                "-A fwmarkd-mark -j fwmarkd-mx-root", "-A fwmarkd-mark -p tcp -m tcp --dport 80 -g fwmarkd-m-root",
                "-A fwmarkd-mark -p udp -m udp --dport 443 -g fwmarkd-mu-root",
            ])
    }

    @Test("The picture in docs/dispatch-tree.md")
    func documentedPicture() throws {
        let addresses = (1...62 as ClosedRange<UInt32>).map { Address(ipv4: 0xcb00_7100 + $0) }
        let walk = PacketWalk(Planner.plan(for: try services(addresses)))
        let judgement = walk.judge(packet(to: addresses[21]))
        #expect(walk.rulesMet(judgement) == 1 + 2 + 16)
        #expect(
            judgement.steps.dropFirst().map { "\($0.chain) \($0.number) \($0.rule.iptablesSyntax)" } == [
                "fwmarkd-mark 1 -p tcp -m tcp --dport 80 -g fwmarkd-m-root",
                "fwmarkd-m-root 2 -d 203.0.113.16/28 -g fwmarkd-m-cb007110-28",
                "fwmarkd-m-cb007110-28 7 -d 203.0.113.22/32 -m comment --comment s -j MARK --set-xmark 0x50/0xffffffff",
            ])
        #expect(walk.rulesMet(packet(to: Address(ipv4: 0x0808_0808))) == 1 + 4)
        #expect(walk.rulesMet(packet(to: addresses[21], 81)) == 1)
    }

    @Test("A translation that comes after those for smaller prefixes is met after them: the ways down are jumps")
    func ordered() throws {
        let sources = (1...9).map { "10.0.0.\($0)" } + (64...72).map { "10.0.0.\($0)" } + ["10.0.0.0/8"]
        let masquerades = try sources.map { Masquerade(name: "m", sources: Selection([try Prefix(parsing: $0)])) }
        let lines = lines(Configuration(masquerades: masquerades), layout: .tree, comments: false)
        #expect(
            lines.prefix(5) == [
                "ipv4 nat", "-A fwmarkd-nat -g fwmarkd-n-root", "-A fwmarkd-n-root -s 10.0.0.0/28 -j fwmarkd-n-0a000000-28",
                "-A fwmarkd-n-root -s 10.0.0.64/28 -j fwmarkd-n-0a000040-28", "-A fwmarkd-n-root -s 10.0.0.0/8 -j MASQUERADE",
            ])
        #expect(lines.dropFirst(5).first == "-A fwmarkd-n-0a000000-28 -s 10.0.0.1/32 -j MASQUERADE")
    }

    @Test("Few rules stay plain, more become a tree")
    func limit() throws {
        func chains(_ count: UInt32) throws -> Int? {
            let services = try (0..<count).map { try service("192.0.2.\($0)", "s\($0)") }
            return Planner.plan(for: Configuration(services: services)).ruleset.tables[TableID(.ipv4, .mangle)]?.count
        }
        #expect(try chains(UInt32(Planner.plainLimit)) == 1)
        let more = try #require(try chains(UInt32(Planner.plainLimit + 1)))
        #expect(more > 1)
    }

    /// Addresses that lie as addresses do: one after the other, far apart, and by chance.
    static let layouts: [@Sendable (UInt32) -> UInt32] = [
        { 0x0a00_0000 + $0 }, { 0x0a00_000a + $0 * 256 }, { 0x0a00_0000 + $0 * 7 }, { $0 &* 2_654_435_761 },
    ]

    @Test("A packet meets few rules, and the number grows with the logarithm", arguments: layouts.indices)
    func logarithm(_ layout: Int) throws {
        for count in [100, 1000, 10_000] as [UInt32] {
            let addresses = (0..<count).map { Address(ipv4: DispatchTreeTests.layouts[layout]($0)) }
            let walk = PacketWalk(Planner.plan(for: try services(addresses)))
            var levels = 0
            while 1 << (4 * levels) < count { levels += 1 }
            for address in stride(from: 0, to: addresses.count, by: 37).map({ addresses[$0] }) {
                let judgement = walk.judge(packet(to: address))
                #expect(judgement.mark.value == 80)
                #expect(walk.rulesMet(judgement) <= 16 * levels + 17, "\(address) of \(count)")
                #expect(walk.rulesMet(packet(to: address, 81)) == 1)
            }
        }
    }

    @Test("Services that share an address are distinguished by port, in a number of steps that grows with the logarithm as well")
    func sharedAddress() throws {
        let address = Address(ipv4: 0xcb00_710a)
        let mark = try Mark(7)
        let ports = (0..<5000 as Range<UInt16>).map { 1 + $0 * 13 }
        let services = ports.map {
            Service(name: "s\($0)", mark: mark, addresses: Selection([Prefix(address)]), traffic: Traffic(tcp: [PortRange($0)]))
        }
        let plan = Planner.plan(for: Configuration(services: services))
        let walk = PacketWalk(plan)
        for port in stride(from: 0, to: ports.count, by: 17).map({ ports[$0] }) {
            let judgement = walk.judge(packet(to: address, port))
            let step = try #require(judgement.steps.last)
            #expect(plan.owners.owner(in: TableID(.ipv4, .mangle), chain: step.chain, number: step.number) == "s\(port)")
            #expect(walk.rulesMet(judgement) <= 70)
            #expect(walk.judge(packet(to: address, port + 1)).mark.value == 0)
        }
        #expect(plan.ruleset.ruleCount <= 5000 * 6 / 5)
    }

    @Test("A way with ports of a later one is a jump, so that the packet meets both: the example at the head of PortTree")
    func overlappingPorts() throws {
        let address = Address(ipv4: 0xcb00_710a)
        func service(_ name: String, _ mark: String, _ ports: PortRange) throws -> Service {
            Service(
                name: name, mark: try Mark(parsing: mark), addresses: Selection([Prefix(address)]), traffic: Traffic(tcp: [ports]))
        }
        let narrow = try (1...40 as ClosedRange<UInt16>).map { try service("s\($0)", "0x100/0xff00", PortRange(5000 + $0)) }
        let services = narrow + [try service("wide", "0x1/0xff", PortRange(5000, 6000))]
        let plan = Planner.plan(for: Configuration(services: services))
        let walk = PacketWalk(plan)
        let chains = try #require(plan.ruleset.tables[TableID(.ipv4, .mangle)])
        let root = try #require(chains.first { $0.name.text.contains("-p-") })
        let found = root.rules.map { rule in
            rule.iptablesSyntax.split(separator: "--dport ").last.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
        }
        #expect(found == ["5000:6000 -j", "5008:5023 -g", "5024:5039 -g", "5040 -m"])
        for port in 4999...6001 as ClosedRange<UInt16> {
            let wanted: UInt32 = (5000...6000 ~= port ? 0x1 : 0) | (5001...5040 ~= port ? 0x100 : 0)
            #expect(walk.judge(packet(to: address, port)).mark.value == wanted, "port \(port)")
        }
    }

    @Test("Services of one address with scattered ports are led to by all of their ports")
    func scatteredPorts() throws {
        let address = Address(ipv4: 0xcb00_710a)
        let mark = try Mark(7)
        let services = (0..<60 as Range<UInt16>).map { number in
            Service(
                name: "s\(number)", mark: mark, addresses: Selection([Prefix(address)]),
                traffic: Traffic(tcp: [PortRange(1000 + number), PortRange(30_000 + number * 3)]))
        }
        let walk = PacketWalk(Planner.plan(for: Configuration(services: services)))
        func marked(_ ports: [UInt16]) -> [UInt16] { ports.filter { walk.judge(packet(to: address, $0)).mark.value == 7 } }
        let (theirs, others): ([UInt16], [UInt16]) = ([1000, 1059, 30_000, 30_090, 30_177], [999, 1060, 29_999, 30_001, 30_178])
        #expect(marked(theirs) == theirs)
        #expect(marked(others) == [])
    }

    @Test("One service more or less changes few chains, also where it has other ports than the rest", arguments: layouts.indices)
    func locality(_ layout: Int) throws {
        let addresses = (0..<2000 as Range<UInt32>).map { Address(ipv4: DispatchTreeTests.layouts[layout]($0)) }
        let all = try services(addresses).services
        func chains(_ services: [Service]) -> [ChainName: [Rule]] {
            let chains = Planner.plan(for: Configuration(services: services)).ruleset.tables[TableID(.ipv4, .mangle)] ?? []
            return Dictionary(uniqueKeysWithValues: chains.map { ($0.name, $0.rules) })
        }
        let before = chains(all)
        var counts: [Bool: [Int]] = [:]
        for index in stride(from: 3, to: addresses.count, by: 101) {
            for hasOtherPorts in [false, true] {
                var services = all
                if hasOtherPorts { services[index].traffic.tcp = [PortRange(8080)] } else { services.remove(at: index) }
                let after = chains(services)
                let touched = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
                counts[hasOtherPorts, default: []].append(touched.count)
                #expect((1...5).contains(touched.count), "\(addresses[index]): \(touched.map(\.text))")
            }
        }
        for (hasOtherPorts, counts) in counts {
            let (median, most) = (counts.sorted()[counts.count / 2], counts.max() ?? 0)
            #expect(median <= (hasOtherPorts ? 5 : 2))
            print("layout \(layout), \(hasOtherPorts ? "other ports" : "one less"): \(median) chains changed, at most \(most)")
        }
    }

    @Test("Chains have names of their own that can be used, each node is led to once, and each rule leads to one that is there")
    func names() throws {
        for seed in 0..<120 as Range<UInt64> {
            var random = RandomConfiguration(seed: seed)
            let configuration = random.configuration(services: 40, masquerades: 30, allowsConflicts: false)
            let plan = Planner.plan(for: configuration, layout: .tree)
            for (id, chains) in plan.ruleset.tables {
                let names = chains.map(\.name)
                #expect(Set(names).count == names.count)
                for name in names { #expect(throws: Never.self) { try ChainName(name.text) } }
                let targets = chains.flatMap(\.rules).compactMap(\.target.chain)
                let entries = id.table.entries.map(\.chain) + [.hold]
                #expect(Set(targets) == Set(names).subtracting(entries))
                let nodes = targets.filter { !["-s-", "-x-", "-y-"].contains($0.text.dropFirst(7).prefix(3)) }
                #expect(Set(nodes).count == nodes.count)
                #expect(chains.allSatisfy { !$0.rules.isEmpty })
            }
        }
    }

    @Test("Long IPv6 prefixes have names too, and a digest that is taken gives way to the next")
    func digests() throws {
        var names = ChainNames()
        #expect(names.node("m", try Prefix(parsing: "2001:db8:7::/48")).text == "fwmarkd-m-20010db8000700-48")
        let long = try Prefix(parsing: "2001:db8::ab00/120")
        let first = names.node("m", long).text
        let second = names.node("m", long).text
        #expect(first.hasPrefix("fwmarkd-m-") && first.hasSuffix("-120") && first.utf8.count == ChainName.maximumLength)
        #expect(second != first)
        #expect(names.node("mu", long).text.utf8.count <= ChainName.maximumLength)
    }

    private func service(_ address: String, _ name: String) throws -> Service {
        Service(
            name: name, mark: try Mark(80), addresses: Selection([try Prefix(parsing: address)]),
            traffic: Traffic(tcp: [PortRange(80)]))
    }

    private func services(_ addresses: [Address]) throws -> Configuration {
        let mark = try Mark(80)
        return Configuration(
            services: addresses.map {
                Service(name: "s", mark: mark, addresses: Selection([Prefix($0)]), traffic: Traffic(tcp: [PortRange(80)]))
            })
    }

    private func packet(to address: Address, _ port: UInt16 = 80) -> JudgedPacket {
        var packet = JudgedPacket(.ipv4)
        (packet.protocolNumber, packet.source, packet.sourcePort) = (6, Address(ipv4: 1), 1)
        (packet.destination, packet.destinationPort) = (address, port)
        return packet
    }
}
