import ConfigurationFile
import Foundation
import NamespaceSupport
import PacketSupport
import Netfilter
import Planner
import RandomConfigurations
import Reconciler
import Rules
import Testing

@Suite("What the kernel does to packets is what explain says", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct ExplainedPacketTests {
    /// The interfaces of a namespace, each with a name that some of the random configurations mean.
    private static let interfaces = ["eth0", "eth1", "wan0"]

    @Test(
        "Marks: random configurations, each as plain list and as tree, 800 random packets through each of both",
        arguments: 0..<4 as Range<UInt64>)
    func marks(_ part: UInt64) async throws {
        var marked = 0
        for seed in part * 4..<part * 4 + 4 { marked += try await marks(seed: seed) }
        #expect(marked > 600, "of 6,400 packets too few met a rule")
    }

    /// - Returns: how many packets were marked.
    private func marks(seed: UInt64) async throws -> Int {
        try await NetworkNamespace.run { namespace in
            var random = RandomConfiguration(seed: seed)
            let configuration = random.configuration(services: 50, masquerades: 0, allowsConflicts: seed % 4 == 0)
            let devices = try Self.interfaces.map { try TunnelDevice($0) }
            try namespace.takeEverything(Self.interfaces)
            var numbers = SeededNumbers(seed)
            var marked = 0
            // A rule before ours that gives every packet a mark, of which a mark of ours under a mask leaves the rest.
            let before: UInt32 = seed % 2 == 0 ? 0 : 0xa5c3_96f0
            for layout in [Planner.Layout.plain, .tree] {
                let ruleset = Planner.ruleset(for: configuration, layout: layout)
                _ = try await Reconciler(KernelTables(lockPath: namespace.lockPath)).reconcile(to: ruleset)
                let explainer = Explainer(ruleset)
                for family in Family.allCases {
                    let foreign = ["\(family.command)-legacy", "-t", "mangle", "-I", "PREROUTING", "-j", "MARK", "--set-mark"]
                    if before != 0 { try namespace.run(foreign + ["\(before)"]) }
                    let packets = RandomPackets(ruleset, TableID(family, .mangle))
                    let receivers = try Self.protocolNumbers.map { try MarkReceiver(family, $0) }
                    var sent: [UInt16: Packet] = [:]
                    for number in 0..<400 as Range<UInt16> {
                        var packet = packets.next(&numbers)
                        let device = devices.randomElement(using: &numbers) ?? devices[0]
                        packet.inInterface = device.name
                        packet.mark = before
                        sent[number] = packet
                        try device.write(TestPacket(packet: packet, number: number).bytes)
                        for receiver in receivers {
                            while let (bytes, mark) = try receiver.receive() {
                                guard let number = TestPacket.number(of: bytes), let packet = sent.removeValue(forKey: number)
                                else { continue }
                                let wanted = explainer.traversal(of: packet, in: .mangle).mark
                                #expect(mark == wanted, "\(layout) \(packet)")
                                if mark != before { marked += 1 }
                            }
                        }
                    }
                    #expect(sent.isEmpty, "\(layout): \(sent.count) packets were lost: \(sent.values.first.debugDescription)")
                }
            }
            return marked
        }
    }

    @Test(
        "Translations: random configurations, each as plain list and as tree, 400 new flows through each of both",
        arguments: [Planner.Layout.plain, .tree])
    func translations(_ layout: Planner.Layout) async throws {
        var translated = 0
        for seed in 100..<112 as Range<UInt64> { translated += try await translations(seed: seed, layout) }
        #expect(translated > 500, "of up to 5,000 flows too few met a rule")
    }

    /// - Returns: how many flows were translated.
    private func translations(seed: UInt64, _ layout: Planner.Layout) async throws -> Int {
        try await NetworkNamespace.run { namespace in
            var random = RandomConfiguration(seed: seed)
            let configuration = random.configuration(services: 10, masquerades: 16, allowsConflicts: false)
            let inside = try TunnelDevice("inside")
            let devices = try Self.interfaces.map { try TunnelDevice($0) }
            let ruleset = Planner.ruleset(for: configuration, layout: layout)
            _ = try await Reconciler(KernelTables(lockPath: namespace.lockPath)).reconcile(to: ruleset)
            let own = try namespace.forward(from: inside.name, to: Self.interfaces)
            let explainer = Explainer(ruleset)
            var numbers = SeededNumbers(seed)
            var number: UInt16 = 0
            var translated = 0
            for family in Family.allCases where ruleset.tables[TableID(family, .nat)] != nil {
                let packets = RandomPackets(ruleset, TableID(family, .nat))
                var portless: Set<Address> = []
                for (index, device) in devices.enumerated() {
                    try namespace.run(["ip", family == .ipv4 ? "-4" : "-6", "route", "replace", "default", "dev", device.name])
                    for _ in 0..<70 {
                        var packet = packets.next(&numbers)
                        number += 1
                        // Every packet begins a flow of its own: conntrack translates the second of a flow as the first.
                        packet.destinationPort = 20000 + number
                        packet.outInterface = device.name
                        if packet.transport == nil, !portless.insert(packet.destination).inserted { continue }
                        try inside.write(TestPacket(packet: packet, number: number).bytes)
                        let wanted: Address? =
                            switch explainer.traversal(of: packet, in: .nat).end {
                            case .translated(.masquerade): own[index][family]
                            case .translated(.address(let address)): address
                            default: packet.source
                            }
                        var source: Address?
                        while source == nil, let bytes = try device.read(milliseconds: 1000) {
                            if TestPacket.number(of: bytes) == number { source = TestPacket.source(of: bytes) }
                        }
                        #expect(source == wanted, "\(packet)")
                        if source != packet.source { translated += 1 }
                    }
                }
            }
            return translated
        }
    }

    private static let protocolNumbers = TransportProtocol.allCases.map(\.number) + [TestPacket.portless]
}

/// Packets about what a table's rules are about: the first and the last address and port that one of them means, those right
/// beside them, and some within. One half is what the rule asks for in everything else as well.
private struct RandomPackets {
    private let family: Family
    private let rules: [Rule]
    private let all: Prefix

    init(_ ruleset: Ruleset, _ id: TableID) {
        family = id.family
        let found = (ruleset.tables[id] ?? []).flatMap(\.rules)
        rules = found.isEmpty ? [Rule(target: .accept)] : found
        all = Prefix(containing: Address(family: id.family, bits: 0), length: 0)
    }

    func next(_ numbers: inout SeededNumbers) -> Packet {
        let rule = any(&numbers)
        let other = Bool.random(using: &numbers) ? rule : any(&numbers)
        let transport = TransportProtocol.allCases.randomElement(using: &numbers)
        return Packet(
            Int.random(in: 0..<8, using: &numbers) == 0 ? nil : other.transport?.transport ?? transport,
            source: address(rule.source, &numbers), sourcePort: port(other, &numbers),
            destination: address(rule.destination, &numbers), destinationPort: port(other, &numbers))
    }

    private func any(_ numbers: inout SeededNumbers) -> Rule { rules.randomElement(using: &numbers) ?? rules[0] }

    private func port(_ rule: Rule, _ numbers: inout SeededNumbers) -> UInt16 {
        let range: PortRange =
            switch rule.transport?.ports {
            case .source(let range), .destination(let range): range
            case .sources(let ranges), .destinations(let ranges): ranges.randomElement(using: &numbers) ?? .all
            case .any, nil: .all
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

    /// Whether the address may stand in a packet between hosts. Others are thrown away by the kernel before or behind the
    /// tables: 0.0.0.0/8, 127.0.0.0/8, multicast; the like of IPv6, link-local and mapped addresses.
    private func isOrdinary(_ address: Address) -> Bool {
        switch family {
        case .ipv4: ![0, 127].contains(address.bits >> 24) && address.bits >> 24 < 224
        case .ipv6: address.bits >> 48 != 0 && address.bits >> 120 < 0xfe
        }
    }
}
