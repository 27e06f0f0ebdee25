import ConfigurationFile
import RandomConfigurations
import Rules
import Testing

@testable import Planner

/// Between two neighbouring boundaries of addresses and ports no rule of either layout can tell two packets apart. So one packet of
/// each interval, in every combination, stands for all there are.
@Suite("The dispatch tree does to every packet what the plain order does")
struct EquivalenceTests {
    /// How many configurations a case tries.
    private static let runs: UInt64 = 250

    @Test("Small configurations, whose prefixes, ports, masks and interfaces overlap", arguments: 0..<8 as Range<UInt64>)
    func small(_ part: UInt64) throws {
        for seed in part * EquivalenceTests.runs..<(part + 1) * EquivalenceTests.runs {
            var random = RandomConfiguration(seed: seed)
            compare(random.configuration(services: 12, masquerades: 6, allowsConflicts: seed % 4 == 0), "seed \(seed)")
        }
    }

    @Test("Larger ones, with several levels of chains", arguments: 10_000..<10_040 as Range<UInt64>)
    func large(_ seed: UInt64) throws {
        var random = RandomConfiguration(seed: seed)
        compare(random.configuration(services: 60, masquerades: 16, allowsConflicts: seed % 4 == 0), "seed \(seed)")
    }

    @Test("Many services on a few addresses, told apart by port", arguments: 20_000..<20_012 as Range<UInt64>)
    func crowded(_ seed: UInt64) throws {
        var random = RandomConfiguration(seed: seed, isCrowded: true)
        compare(random.configuration(services: 160, masquerades: 0, allowsConflicts: seed % 4 == 0), "seed \(seed)")
    }

    private func compare(_ configuration: Configuration, _ comment: Comment) {
        let plain = Planner.ruleset(for: configuration, layout: .plain)
        let tree = Planner.ruleset(for: configuration, layout: .tree)
        #expect(plain.tables.keys == tree.tables.keys, comment)
        let explainers = (Explainer(plain), Explainer(tree))
        let owners = RuleOwners(of: configuration)
        for (id, chains) in plain.tables {
            var differences = 0
            Packets(id, (chains + (tree.tables[id] ?? [])).flatMap(\.rules)).forEach { packet in
                let left = Outcome(explainers.0.traversal(of: packet, in: id.table)) { $0.comment }
                let right = Outcome(explainers.1.traversal(of: packet, in: id.table)) { owners.owner(of: $0, in: id) }
                if left != right {
                    differences += 1
                    if differences == 1 { Issue.record("\(comment): \(id): \(packet): plain \(left), tree \(right)") }
                }
            }
        }
    }
}

/// What a table does to a packet, whatever mark it has before.
private struct Outcome: Equatable {
    var end: Traversal.End
    /// Which bits of the mark are written, and what they become.
    var mask: UInt32 = 0
    var value: UInt32 = 0
    /// Whose rules did something, since their counters are added up by name. In the order of names for marks: all of them
    /// are met in both layouts, not always in the same order.
    var names: [String] = []

    init(_ traversal: Traversal, owner: (Rule) -> String?) {
        end = traversal.end
        for step in traversal.steps {
            switch step.rule.target {
            case .mark(let mark):
                mask |= mark.mask
                value = mark.applied(to: value)
            case .masquerade, .sourceNAT: break
            default: continue
            }
            names.append(owner(step.rule) ?? "")
        }
        names.sort()
    }
}

/// A packet of each combination of intervals that some of the rules can tell from its neighbours.
private struct Packets {
    private let family: Family
    private let rules: [Rule]

    init(_ id: TableID, _ rules: [Rule]) {
        family = id.family
        self.rules = Array(Set(rules))
    }

    func forEach(_ body: (Packet) -> Void) {
        for source in addresses(rules, \.source) {
            let ofSource = rules.filter { $0.source?.matches(source) ?? true }
            for destination in addresses(ofSource, \.destination) {
                let ofBoth = ofSource.filter { $0.destination?.matches(destination) ?? true }
                for transport in TransportProtocol.allCases + [nil] {
                    let ofAll = ofBoth.filter { $0.transport == nil || $0.transport?.transport == transport }
                    let asks = ofAll.contains { $0.inInterface != nil || $0.outInterface != nil }
                    for port in ports(ofAll) {
                        for interface in asks ? ["eth0", "eth1", "wan0", "lo"] : ["lo"] {
                            body(
                                Packet(
                                    transport, source: source, sourcePort: port, destination: destination, destinationPort: port,
                                    inInterface: interface, outInterface: interface))
                        }
                    }
                }
            }
        }
    }

    /// The first address of each interval.
    private func addresses(_ rules: [Rule], _ part: KeyPath<Rule, AddressMatch?>) -> [Address] {
        var starts: Set<Address> = [Address(family: family, bits: 0)]
        for prefix in Set(rules.compactMap { $0[keyPath: part]?.prefix }) {
            starts.insert(prefix.address)
            starts.insert(Address(family: family, bits: prefix.last.bits &+ 1))
        }
        return starts.sorted()
    }

    /// The first port of each interval.
    private func ports(_ rules: [Rule]) -> [UInt16] {
        var starts: Set<UInt16> = [0]
        for rule in rules {
            switch rule.transport?.ports {
            case .source(let range), .destination(let range): starts.formUnion([range.lower, range.upper &+ 1])
            case .sources(let ranges), .destinations(let ranges):
                for range in ranges { starts.formUnion([range.lower, range.upper &+ 1]) }
            case .any, nil: break
            }
        }
        return starts.sorted()
    }
}
