// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Importer
import Judge
import NamespaceSupport
import Netfilter
import PacketSupport
import Planner
import RandomConfigurations
import Reconciler
import Rules
import Testing

/// How many tables; FWMARKD_TEST_LONG asks for all of them.
private let isLong = ProcessInfo.processInfo.environment["FWMARKD_TEST_LONG"] != nil

@Suite("Other programs' rules, judged by packets", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct JudgedPacketTests {
    private static let interfaces = ["eth0", "eth1", "wan0"]

    /// The devices of a namespace through which packets come, and what the kernel makes of them.
    private struct Bench {
        let namespace: NetworkNamespace
        let devices: [TunnelDevice]
        let receivers: [MarkReceiver]

        init(_ namespace: NetworkNamespace) throws {
            self.namespace = namespace
            devices = try JudgedPacketTests.interfaces.map { try TunnelDevice($0) }
            try namespace.takeEverything(JudgedPacketTests.interfaces)
            receivers = try [6, 17, TestPacket.portless].map { try MarkReceiver(.ipv4, $0) }
            // Loads connection tracking; checksums of the packets are wrong on purpose.
            try namespace.run("iptables-legacy", "-t", "raw", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID")
            try namespace.run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0")
        }

        /// The mark that each packet has at its end; nil for one that was dropped.
        func marks(_ packets: [JudgedPacket]) throws -> [UInt32?] {
            var marks = [UInt32?](repeating: nil, count: packets.count)
            func receive() throws {
                for receiver in receivers {
                    while let (bytes, mark) = try receiver.receive() {
                        if let number = TestPacket.number(of: bytes), Int(number) < marks.count { marks[Int(number)] = mark }
                    }
                }
            }
            for (index, packet) in packets.enumerated() {
                let device = devices.first { $0.name == packet.inInterface } ?? devices[0]
                try device.write(TestPacket(packet: packet, number: UInt16(index)).bytes)
                try receive()
            }
            try receive()
            return marks
        }
    }

    /// Packets of new flows, at and around the edges of what the rules ask for.
    private static func packets(_ count: Int, _ numbers: inout SeededNumbers, _ flow: inout UInt16) throws -> [JudgedPacket] {
        func pick<Value>(_ values: [Value]) -> Value { values[Int(numbers.next() % UInt64(values.count))] }
        return try (0..<count).map { _ in
            flow &+= 1
            var packet = JudgedPacket(.ipv4)
            packet.protocolNumber = pick([6, 6, 17, TestPacket.portless])
            packet.source = try Address(parsing: pick(ForeignTables.addresses))
            packet.sourcePort = 1_024 + flow
            packet.destination = try Address(parsing: pick(ForeignTables.addresses + ["203.0.113.79", "8.8.8.8"]))
            packet.destinationPort = pick(ForeignTables.ports + [22, 9_999, 20_001])
            (packet.inInterface, packet.outInterface) = (pick(interfaces), "")
            if packet.protocolNumber == TestPacket.portless { (packet.sourcePort, packet.destinationPort) = (nil, nil) }
            return packet
        }
    }

    @Test("The judge's answer is the kernel's, rule by rule and mark by mark", arguments: 0..<4 as Range<UInt64>)
    func judge(_ part: UInt64) async throws {
        let rounds: UInt64 = isLong ? 40 : 4
        try await NetworkNamespace.run { namespace in
            let bench = try Bench(namespace)
            var (unknown, all, marked) = (0, 0, 0)
            var flow: UInt16 = 0
            for seed in part * rounds..<(part + 1) * rounds {
                var tables = ForeignTables(numbers: SeededNumbers(seed), family: .ipv4, interfaces: Self.interfaces)
                let dump = tables.mangle(rules: 40, connectionMarks: true)
                try namespace.run("iptables-legacy-restore", input: dump)
                let chains = try #require(try KernelTables().snapshot(TableID(.ipv4, .mangle))).chains.map(\.chain)
                let judge = Judge(tables: [TableID(.ipv4, .mangle): chains])
                let packets = try Self.packets(200, &tables.numbers, &flow).filter { $0.protocolNumber != TestPacket.portless }
                for (packet, mark) in zip(packets, try bench.marks(packets)) {
                    let answer = judge.judge(packet, at: .prerouting)
                    all += 1
                    guard let verdict = answer.verdict.value, let judgedMark = answer.mark.value else {
                        unknown += 1
                        continue
                    }
                    let expected: UInt32? = verdict == .drop ? nil : judgedMark
                    #expect(mark == expected, "\(packet)\n\(dump)")
                    if mark != 0 && mark != nil { marked += 1 }
                }
            }
            #expect(unknown * 10 <= all && marked * 8 > all, "\(unknown) unknown, \(marked) marked of \(all)")
        }
    }

    @Test("Before and after an adoption every packet has the same mark, or nothing was changed", arguments: 0..<4 as Range<UInt64>)
    func adopt(_ part: UInt64) async throws {
        let rounds: UInt64 = isLong ? 500 : 25
        try await NetworkNamespace.run { namespace in
            let bench = try Bench(namespace)
            let tables = KernelTables(lockPath: namespace.lockPath)
            let id = TableID(.ipv4, .mangle)
            var (adopted, withRules) = (0, 0)
            var flow: UInt16 = 0
            for seed in part * rounds..<(part + 1) * rounds {
                var foreign = ForeignTables(numbers: SeededNumbers(1_000 + seed), family: .ipv4, interfaces: Self.interfaces)
                let dump = foreign.mangle(rules: 2 + Int(seed % 9), connectionMarks: seed % 5 == 0)
                try namespace.run("iptables-legacy-restore", input: dump)
                let before = try #require(try tables.snapshot(id))
                let chains = before.chains.map(\.chain)
                let imported = ImportedRules(FoundRules(tables: [id: chains]))
                guard !imported.originals.isEmpty else { continue }
                withRules += 1
                let configuration = imported.configuration
                let ruleset = Planner.plan(for: configuration).ruleset
                let packets = try Self.packets(120, &foreign.numbers, &flow)
                let marksBefore = try bench.marks(packets)
                let proof: AdoptionProof
                do {
                    proof = try AdoptionProof(
                        ruleset, replacing: imported.originals, in: [id: chains], hookPosition: configuration.daemon.hookPosition)
                } catch {
                    continue
                }
                let position: TableDifference.HookPosition = configuration.daemon.hookPosition == .first ? .first : .last
                _ = try await Reconciler(tables, hookPosition: position).reconcile(
                    to: ruleset, replacing: [Replacement(in: before, removing: proof.removed[id] ?? [:])])
                adopted += 1
                // New flows, else connections would tell of those before.
                var again = packets
                for index in again.indices { again[index].sourcePort = again[index].sourcePort.map { $0 &+ 30_000 } }
                #expect(try bench.marks(again) == marksBefore, "seed \(seed)\n\(dump)\n\(imported.text)")
            }
            #expect(adopted * 2 >= withRules && adopted > 0, "\(adopted) of \(withRules) were adopted")
        }
    }
}
