// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Judge
import NamespaceSupport
import PacketSupport
import Netfilter
import Planner
import RandomConfigurations
import RandomNumbers
import Reconciler
import Rules
import Testing

@Suite("What the kernel does to packets is what explain says", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct ExplainedPacketTests {
    /// The interfaces of a namespace, each with a name that some of the random configurations mean.
    private static let interfaces = ["eth0", "eth1", "wan0"]
    private static let protocolNumbers: [UInt8] = [6, 17, 132, 1, 58, 47, 50, TestPacket.authentication, TestPacket.portless]
    /// Of twelve packets how many: seven come in frames, one is a further fragment, four are the namespace's own.
    private static let packets: UInt16 = ProcessInfo.processInfo.environment["FWMARKD_TEST_LONG"] == "1" ? 1000 : 240

    @Test(
        "Marks: random configurations with every word, each as plain list and as tree; packets in frames, fragments, and the director's own",
        arguments: 0..<6 as Range<UInt64>)
    func marks(_ seed: UInt64) async throws {
        let marked = try await marked(seed: seed)
        #expect(marked > 40, "too few of the packets met a rule")
    }

    /// Sends packets through each layout, and compares marks one by one, and counters rule by rule.
    ///
    /// - Returns: how many packets were marked.
    private func marked(seed: UInt64) async throws -> Int {
        try await NetworkNamespace.run { namespace in
            let configuration = Self.configuration(seed)
            let devices = try Self.interfaces.map { try TunnelDevice($0, hasFrames: true) }
            try namespace.takeEverything(Self.interfaces)
            var numbers = SeededNumbers(seed)
            var marked = 0
            // A rule before ours that gives every packet a mark, of which a mark of ours under a mask leaves the rest.
            let before: UInt32 = seed % 2 == 0 ? 0 : 0xa5c3_96f0
            for layout in [Planner.Layout.plain, .tree] {
                let plan = Planner.plan(for: configuration, layout: layout)
                let tables = KernelTables(lockPath: namespace.lockPath)
                _ = try await Reconciler(tables).reconcile(to: Ruleset())
                _ = try await Reconciler(tables).reconcile(to: plan.ruleset)
                for id in TableID.ours where id.table == .mangle && plan.ruleset.tables[id] != nil {
                    let packets = RandomPackets(plan.ruleset, id)
                    marked += try send(packets, through: id, in: tables, devices, before, &numbers, "seed \(seed) \(layout) \(id)")
                }
            }
            return marked
        }
    }

    /// Sends packets through a table of one layout.
    ///
    /// - Returns: how many were marked.
    private func send(
        _ packets: RandomPackets, through id: TableID, in tables: KernelTables, _ devices: [TunnelDevice], _ before: UInt32,
        _ numbers: inout SeededNumbers, _ what: Comment
    ) throws -> Int {
        let judge = Judge(tables: try tables.snapshot(id).map { [id: $0.chains.map(\.chain)] } ?? [:])
        var met: [Place: UInt64] = [:]
        let receivers = try Self.protocolNumbers.map { try MarkReceiver(id.family, $0) }
        let sender = try PacketSender(id.family, mark: before)
        var sent: [UInt16: (packet: JudgedPacket, mark: UInt32)] = [:]
        var marked = 0
        for number in 0..<Self.packets {
            var packet = packets.next(&numbers)
            let isOwn = number % 12 < 4
            // Of an IPv6 fragment after the first nobody can tell whether it has an authentication header.
            packet.isFurtherFragment = number % 12 == 4 && packet.protocolNumber != TestPacket.authentication
            packet.mark = PartialMark(isOwn ? before : 0)
            let device = devices.randomElement(using: &numbers) ?? devices[0]
            packet.mac = MACAddress(bits: 0x0200_5e10_0000 + UInt64.random(in: 1...4, using: &numbers))
            packet.inInterface = device.name
            let path = Path(packet, isOwn: isOwn, judge)
            for place in path.places { met[place, default: 0] += 1 }
            // A raw socket takes no ICMPv6 with a wrong checksum: counters alone tell of these.
            if packet.isFurtherFragment == false, packet.protocolNumber != 58 { sent[number] = (packet, path.mark) }
            let bytes = TestPacket(packet: packet, number: number)
            if isOwn, let destination = packet.destination {
                try sender.send(bytes.bytes, to: destination)
            } else {
                try device.write(bytes.frame)
            }
            for receiver in receivers { marked += try take(from: receiver, &sent, what) }
        }
        #expect(sent.isEmpty, "\(what): \(sent.count) packets were lost: \(sent.values.first.debugDescription)")
        let counted = try Self.counters(tables, id)
        for place in Set(met.keys).union(counted.keys) {
            let (explained, count) = (met[place] ?? 0, counted[place] ?? 0)
            // IPv6 has packets of the kernel's own on its links, and answers to some that came by lo.
            if id.family == .ipv4 ? explained == count : explained <= count { continue }
            Issue.record("\(what) \(place): explained \(explained), counted \(count)")
        }
        return marked
    }

    /// Takes what has arrived, and compares its marks.
    ///
    /// - Returns: how many packets have another mark than they were sent with.
    private func take(
        from receiver: MarkReceiver, _ sent: inout [UInt16: (packet: JudgedPacket, mark: UInt32)], _ what: Comment
    ) throws -> Int {
        var marked = 0
        while let (bytes, mark) = try receiver.receive() {
            guard let number = TestPacket.number(of: bytes), let (packet, wanted) = sent.removeValue(forKey: number) else {
                continue
            }
            #expect(mark == wanted, "\(what) \(packet)")
            if mark != packet.mark.value { marked += 1 }
        }
        return marked
    }

    /// A configuration without translations, so that no connection is tracked and fragments are met as they come.
    ///
    /// Packets of the director itself come in by lo as well, where nobody has a hardware address.
    private static func configuration(_ seed: UInt64) -> Configuration {
        var random = RandomConfiguration(seed: seed)
        var configuration = random.configuration(services: 50, masquerades: 0, allowsConflicts: false)
        for index in configuration.ftp.indices where configuration.ftp[index].forwarding == .nat {
            configuration.ftp[index].active = nil
        }
        return configuration
    }

    /// How many packets each of our rules has counted; only those of some.
    private static func counters(_ tables: KernelTables, _ id: TableID) throws -> [Place: UInt64] {
        var counters: [Place: UInt64] = [:]
        for chain in try tables.snapshot(id)?.chains ?? [] where chain.name.isOurs {
            for (index, rule) in chain.rules.enumerated() where rule.counters.packets > 0 {
                counters[Place(chain: chain.name, number: index + 1)] = rule.counters.packets
            }
        }
        return counters
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
            let ruleset = Planner.plan(for: configuration, layout: layout).ruleset
            _ = try await Reconciler(KernelTables(lockPath: namespace.lockPath)).reconcile(to: ruleset)
            let own = try namespace.forward(from: inside.name, to: Self.interfaces)
            var numbers = SeededNumbers(seed)
            var number: UInt16 = 0
            var translated = 0
            for family in Family.allCases where ruleset.tables[TableID(family, .nat)] != nil {
                let id = TableID(family, .nat)
                let packets = RandomPackets(ruleset, id)
                let judge = Judge(
                    tables: try KernelTables(lockPath: namespace.lockPath).snapshot(id).map { [id: $0.chains.map(\.chain)] } ?? [:])
                var portless: Set<Address?> = []
                for (index, device) in devices.enumerated() {
                    try namespace.run(["ip", family == .ipv4 ? "-4" : "-6", "route", "replace", "default", "dev", device.name])
                    for _ in 0..<70 {
                        var packet = packets.next(&numbers)
                        number += 1
                        // Every packet begins a flow of its own: conntrack translates the second of a flow as the first.
                        packet.destinationPort = 20000 + number
                        packet.outInterface = device.name
                        guard let transport = packet.protocolNumber, [6, 17, 132, TestPacket.portless].contains(transport) else {
                            continue
                        }
                        if transport == TestPacket.portless, !portless.insert(packet.destination).inserted { continue }
                        try inside.write(TestPacket(packet: packet, number: number).bytes)
                        let unchanged = packet.source ?? own[index][family] ?? Address(family: family, bits: 0)
                        let wanted: ClosedRange<Address> =
                            switch judge.judge(packet, at: .postrouting, only: .nat).translation {
                            case .known(.masquerade): (own[index][family] ?? unchanged)...(own[index][family] ?? unchanged)
                            case .known(.source(let range)): range.first...range.last
                            default: unchanged...unchanged
                            }
                        var source: Address?
                        while source == nil, let bytes = try device.read(milliseconds: 1000) {
                            if TestPacket.number(of: bytes) == number { source = TestPacket.source(of: bytes) }
                        }
                        #expect(source.map(wanted.contains) == true, "\(packet)")
                        if source != packet.source { translated += 1 }
                    }
                }
            }
            return translated
        }
    }
}

/// A rule's place in a table.
private struct Place: Hashable {
    let chain: ChainName
    let number: Int
}

/// A packet's way through the hooks: OUTPUT and again from PREROUTING by lo for the namespace's own, then INPUT. A further
/// fragment waits for the others before INPUT.
private struct Path {
    private(set) var mark: UInt32
    private(set) var places: [Place] = []

    init(_ packet: JudgedPacket, isOwn: Bool, _ judge: Judge) {
        var packet = packet
        if isOwn {
            packet.isFromEthernet = false
            packet.inInterface = "lo"
        }
        mark = packet.mark.value
        for hook in (isOwn ? [.output] : []) + [Hook.prerouting, .input] {
            if hook == .input, packet.isFurtherFragment == true { break }
            let judgement = judge.judge(packet, at: hook, only: .mangle)
            places += judgement.steps.filter(\.chain.isOurs).map { Place(chain: $0.chain, number: $0.number) }
            mark = judgement.mark.value ?? 0
            packet.mark = PartialMark(mark)
        }
    }
}
