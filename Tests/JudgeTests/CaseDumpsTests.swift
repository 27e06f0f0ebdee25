// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Importer
import Judge
import NamespaceSupport
import Netfilter
import PacketSupport
import Planner
import Reconciler
import Rules
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Cases/dumps")

@Suite("Dumps that people have, judged by packets", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct CaseDumpsTests {
    /// Each with how many of its rules are taken over. The others need names to look up, or frames.
    private static let cases = [
        ("all-protocols", 1), ("comment-with-newline", 2), ("connmark", 0), ("covered", 2), ("crlf", 2), ("ipsec", 3),
        ("mention", 3),
        ("names", 15), ("negated", 2), ("range-with-hole", 2), ("twice", 1), ("whole-protocol", 2),
    ]

    @Test("import by hand and --adopt change no packet", arguments: cases)
    func unchanged(_ name: String, _ count: Int) async throws {
        let text = try String(contentsOf: folder.appendingPathComponent(name + ".v4"), encoding: .utf8).replacing(
            "\r\n", with: "\n")
        try await NetworkNamespace.run { namespace in
            let director = try Director(.ipv4, in: namespace)
            let trips = try CaseDumpsTests.trips(text)
            func prepare() throws -> (before: [Fate], found: FoundRules, tables: [TableID: [Chain]]) {
                try namespace.restore(text, .ipv4, tracking: true)
                try namespace.run(
                    "iptables-legacy", "-t", "mangle", "-I", "PREROUTING", "-s", "198.51.100.66", "-m", "comment", "--comment",
                    "ticket 4711\nsee wiki", "-j", "DROP")
                let tables = try namespace.tables(.ipv4)
                return (try director.fates(of: trips), FoundRules(tables: tables), tables)
            }
            func expectSame(_ before: [Fate], _ how: String) throws {
                try Connections.flush()
                let after = try director.fates(of: trips)
                for (trip, fates) in zip(trips, zip(before, after)) where fates.0 != fates.1 {
                    Issue.record("\(how): \(trip.packet)\nbefore \(fates.0)\nafter \(fates.1)")
                }
                #expect(try namespace.run("iptables-legacy", "-t", "mangle", "-S").contains("-s 198.51.100.66/32"), "\(how)")
            }

            var (before, found, tables) = try prepare()
            #expect(before.contains(.dropped) && Set(before).count > 1)
            let imported = ImportedRules(found)
            #expect(imported.originals.count == count)
            try namespace.delete(imported.originals, .ipv4)
            _ = try await namespace.reconcile(to: imported.configuration)
            try expectSame(before, "by hand")

            (before, found, tables) = try prepare()
            let position = imported.configuration.daemon.hookPosition
            let proof = try AdoptionProof(
                Planner.plan(for: imported.configuration).ruleset,
                replacing: ImportedRules(found, hookPosition: position).originals,
                in: tables, hookPosition: position)
            #expect(proof.staying.isEmpty)
            let kernel = KernelTables(lockPath: namespace.lockPath)
            let replacements = try TableID.ours.filter { $0.family == .ipv4 }.compactMap { id in
                try kernel.snapshot(id).map { Replacement(in: $0, removing: proof.removed[id] ?? [:]) }
            }
            _ = try await namespace.reconcile(to: imported.configuration, replacing: replacements)
            try expectSame(before, "--adopt")
        }
    }

    /// Packets to every address and port of the dump, and beside them, from clients and from servers.
    private static func trips(_ dump: String) throws -> [Trip] {
        let words = dump.split { " \n,:/".contains($0) }.map(String.init)
        let addresses = Set(words.filter { $0.hasPrefix("203.0.113.") }).sorted().prefix(4) + ["203.0.113.99"]
        let ports = Set(words.compactMap { UInt16($0) }.filter { $0 > 0 }).sorted().prefix(6) + [22, 51_820]
        var trips: [Trip] = []
        func add(_ source: String, _ destination: String, _ port: UInt16, _ transport: UInt8, from sourcePort: UInt16? = nil) throws
        {
            var packet = JudgedPacket(.ipv4)
            packet.protocolNumber = transport
            (packet.source, packet.destination) = (try Address(parsing: source), try Address(parsing: destination))
            packet.sourcePort = sourcePort ?? 1_024 + UInt16(trips.count)
            packet.destinationPort = port
            let isLocal = Trips.isLocal(packet.destination ?? Address(ipv4: 0))
            packet.inInterface = Director.incoming[trips.count % 2]
            packet.outInterface = isLocal ? "" : packet.destination.map(Trips.outgoing)
            trips.append(Trip(packet: packet, way: isLocal ? .local : .forwarded))
        }
        for source in ["198.51.100.7", "198.51.100.66", "10.1.2.3", "192.0.2.5", "192.0.2.200"] {
            for address in addresses {
                for port in ports { try add(source, address, port, source == "192.0.2.5" ? 6 : [6, 17][trips.count % 2]) }
            }
        }
        for (index, source) in ["10.1.2.3", "10.9.9.9", "10.11.12.5"].enumerated() {
            for port in [40_000, 40_001] as [UInt16] {
                try add(source, "8.8.8.8", port, 6, from: 20)
                try add(source, "198.51.100.9", port + UInt16(index), 17)
            }
        }
        return trips
    }
}
