import ConfigurationFile
import RandomConfigurations
import Rules
import Testing

@testable import Planner

@Suite("The shape of the dispatch tree")
struct DispatchTreeTests {
    @Test("A packet finds the rules of its address by the bits of its address; a block that holds others stands before them")
    func picture() throws {
        let addresses = (1...15).map { "192.0.2.\($0)" } + ["192.0.2.64", "192.0.2.128/25", "192.0.2.200"]
        let configuration = Configuration(services: try addresses.map { try web($0, $0.filter { $0 != "/" }) })
        let lines = text(Planner.ruleset(for: configuration, layout: .tree)).replacing(" -p tcp -m tcp --dport 80", with: "")
            .replacing(" -j MARK --set-xmark 0x50/0xffffffff", with: "").split(separator: "\n")
        #expect(
            lines.prefix(5) == [
                "ipv4 mangle", "-A FWMARKD-MARK -d 192.0.2.128/25", "-A FWMARKD-MARK -d 192.0.2.0/28 -g FWMARKD-M-c0000200-28",
                "-A FWMARKD-MARK -d 192.0.2.64/32", "-A FWMARKD-MARK -d 192.0.2.200/32",
            ])
        #expect(lines.dropFirst(5) == (1...15).map { "-A FWMARKD-M-c0000200-28 -d 192.0.2.\($0)/32" }[...])
    }

    @Test("The picture in docs/dispatch-tree.md")
    func documentedPicture() throws {
        let addresses = (1...62 as ClosedRange<UInt32>).map { Address(ipv4: 0xcb00_7100 + $0) }
        let explainer = Explainer(Planner.ruleset(for: try services(addresses)))
        let traversal = explainer.traversal(of: packet(to: addresses[21]), in: .mangle)
        #expect(traversal.rulesMet == 2 + 16)
        #expect(
            traversal.steps.map { "\($0.chain) \($0.number) \($0.rule.iptablesSyntax)" } == [
                "FWMARKD-MARK 2 -d 203.0.113.16/28 -g FWMARKD-M-cb007110-28",
                "FWMARKD-M-cb007110-28 7 -d 203.0.113.22/32 -p tcp -m tcp --dport 80 -m comment --comment s "
                    + "-j MARK --set-xmark 0x50/0xffffffff",
            ])
        #expect(explainer.traversal(of: packet(to: Address(ipv4: 0x0808_0808)), in: .mangle).rulesMet == 4)
    }

    @Test("A translation that comes behind those for smaller blocks is met after them: the ways down are jumps")
    func ordered() throws {
        let sources = (1...9).map { "10.0.0.\($0)" } + (64...72).map { "10.0.0.\($0)" } + ["10.0.0.0/8"]
        let configuration = Configuration(
            masquerades: try sources.map { Masquerade(name: "m", sources: [try Prefix(parsing: $0)], position: here) })
        let lines = text(Planner.ruleset(for: configuration, layout: .tree)).split(separator: "\n")
        #expect(
            lines.prefix(4) == [
                "ipv4 nat", "-A FWMARKD-NAT -s 10.0.0.0/28 -j FWMARKD-N-0a000000-28",
                "-A FWMARKD-NAT -s 10.0.0.64/28 -j FWMARKD-N-0a000040-28", "-A FWMARKD-NAT -s 10.0.0.0/8 -j MASQUERADE",
            ])
        #expect(lines.dropFirst(4).first == "-A FWMARKD-N-0a000000-28 -s 10.0.0.1/32 -j MASQUERADE")
        #expect(lines.count == 4 + 18)
    }

    @Test("Few rules stay plain, more become a tree")
    func limit() throws {
        func chains(_ count: UInt32) throws -> Int? {
            let services = try (0..<count).map { try web("192.0.2.\($0)", "s\($0)") }
            return Planner.ruleset(for: Configuration(services: services)).tables[TableID(.ipv4, .mangle)]?.count
        }
        #expect(try chains(UInt32(Planner.plainLimit)) == 1)
        let more = try #require(try chains(UInt32(Planner.plainLimit + 1)))
        #expect(more > 1)
    }

    /// Addresses that lie as addresses do: one behind the other, far apart, and by chance.
    static let layouts: [@Sendable (UInt32) -> UInt32] = [
        { 0x0a00_0000 + $0 }, { 0x0a00_000a + $0 * 256 }, { 0x0a00_0000 + $0 * 7 }, { $0 &* 2_654_435_761 },
    ]

    @Test("A packet meets few rules, and the number grows with the logarithm", arguments: layouts.indices)
    func logarithm(_ layout: Int) throws {
        for count in [100, 1000, 10_000] as [UInt32] {
            let addresses = (0..<count).map { Address(ipv4: DispatchTreeTests.layouts[layout]($0)) }
            let explainer = Explainer(Planner.ruleset(for: try services(addresses)))
            var levels = 0
            while 1 << (4 * levels) < count { levels += 1 }
            for address in stride(from: 0, to: addresses.count, by: 7).map({ addresses[$0] }) {
                let traversal = explainer.traversal(of: packet(to: address), in: .mangle)
                #expect(traversal.mark == 80)
                #expect(traversal.rulesMet <= 16 * levels + 16, "\(address) of \(count)")
            }
        }
    }

    @Test("Services that share an address are told apart by port, in a number of steps that grows with the logarithm as well")
    func sharedAddress() throws {
        let address = Address(ipv4: 0xcb00_710a)
        let mark = try Mark(7)
        let ports = (0..<5000 as Range<UInt16>).map { 1 + $0 * 13 }
        let services = ports.map {
            Service(name: "s\($0)", mark: mark, addresses: [Prefix(address)], ports: [.tcp: [PortRange($0)]], position: here)
        }
        let configuration = Configuration(services: services)
        let owners = RuleOwners(of: configuration)
        let explainer = Explainer(Planner.ruleset(for: configuration))
        var packet = packet(to: address)
        for port in ports {
            packet.destinationPort = port
            let traversal = explainer.traversal(of: packet, in: .mangle)
            let rule = try #require(traversal.steps.last?.rule)
            #expect(owners.owner(of: rule, in: TableID(.ipv4, .mangle)) == "s\(port)")
            #expect(traversal.rulesMet <= 32)
            packet.destinationPort = port + 1
            #expect(explainer.traversal(of: packet, in: .mangle).mark == 0)
        }
    }

    @Test("One service more or less changes few chains", arguments: layouts.indices)
    func locality(_ layout: Int) throws {
        let addresses = (0..<2000 as Range<UInt32>).map { Address(ipv4: DispatchTreeTests.layouts[layout]($0)) }
        let id = TableID(.ipv4, .mangle)
        func chains(without: Int? = nil) throws -> [ChainName: [Rule]] {
            let some = addresses.indices.filter { $0 != without }.map { addresses[$0] }
            let chains = Planner.ruleset(for: try services(some)).tables[id] ?? []
            return Dictionary(uniqueKeysWithValues: chains.map { ($0.name, $0.rules) })
        }
        let all = try chains()
        for index in stride(from: 3, to: addresses.count, by: 41) {
            let fewer = try chains(without: index)
            let touched = Set(all.keys).union(fewer.keys).filter { all[$0] != fewer[$0] }
            #expect((1...4).contains(touched.count), "\(addresses[index]): \(touched.map(\.text))")
        }
    }

    @Test("Chains have names of their own that can be used, each is led to once, and each rule leads to one that is there")
    func names() throws {
        for seed in 0..<300 as Range<UInt64> {
            var random = RandomConfiguration(seed: seed)
            let ruleset = Planner.ruleset(
                for: random.configuration(services: 40, masquerades: 30, allowsConflicts: seed % 4 == 0), layout: .tree)
            for (id, chains) in ruleset.tables {
                let names = chains.map(\.name)
                #expect(Set(names).count == names.count)
                #expect(names.first == id.table.entryChain)
                for name in names { #expect(throws: Never.self) { try ChainName(name.text) } }
                let targets = chains.flatMap(\.rules).compactMap(\.target.chain)
                #expect(Set(targets) == Set(names.dropFirst()))
                let nodes = targets.filter { !$0.text.hasPrefix("FWMARKD-X") }
                #expect(Set(nodes).count == nodes.count)
                #expect(chains.allSatisfy { !$0.rules.isEmpty })
            }
        }
    }

    @Test("Long IPv6 prefixes have names too, and a digest that is taken gives way to the next")
    func digests() throws {
        var names = ChainNames()
        let short = try Prefix(parsing: "2001:db8:7::/48")
        let long = try Prefix(parsing: "2001:db8::ab00/120")
        #expect(names.node(.mangle, 0, short).text == "FWMARKD-M-20010db8000700-48")
        let first = names.node(.mangle, 0, long).text
        let second = names.node(.mangle, 0, long).text
        #expect(first.hasPrefix("FWMARKD-M-") && first.hasSuffix("-120") && first.utf8.count == ChainName.maximumLength)
        #expect(second != first && second.dropLast(5).dropFirst(10).first == first.dropLast(5).dropFirst(10).first)
    }

    private func web(_ address: String, _ name: String) throws -> Service {
        Service(
            name: name, mark: try Mark(80), addresses: [try Prefix(parsing: address)], ports: [.tcp: [PortRange(80)]],
            position: here)
    }

    private func services(_ addresses: [Address]) throws -> Configuration {
        let mark = try Mark(80)
        return Configuration(
            services: addresses.map {
                Service(name: "s", mark: mark, addresses: [Prefix($0)], ports: [.tcp: [PortRange(80)]], position: here)
            })
    }

    private func packet(to address: Address) -> Packet {
        Packet(.tcp, source: Address(ipv4: 1), destination: address, destinationPort: 80)
    }
}
