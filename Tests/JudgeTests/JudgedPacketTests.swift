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
import RandomNumbers
import Reconciler
import Rules
import Testing

/// Whether all of the tables are tried, and not some; FWMARKD_TEST_LONG asks for it.
private let isLong = ProcessInfo.processInfo.environment["FWMARKD_TEST_LONG"] != nil

/// How many tables each namespace has one after the other.
func rounds(_ few: Int, _ many: Int) -> Range<Int> { 0..<(isLong ? many : few) }

/// A namespace of its own: a family, with connection tracking or without.
struct Stage: Sendable, Hashable, CustomTestStringConvertible {
    let family: Family
    let isTracking: Bool
    var testDescription: String { "\(family)\(isTracking ? "" : ", no connection tracking")" }

    static let all = Family.allCases.flatMap { family in [true, false].map { Stage(family: family, isTracking: $0) } }

    /// Neighbouring seeds of SplitMix64 give nearly the same numbers.
    func numbers(_ round: Int) -> SeededNumbers {
        let seed = UInt64(round) << 2 | (family == .ipv4 ? 0 : 2) | (isTracking ? 0 : 1)
        return SeededNumbers((seed + 1) &* 0xd134_2543_de82_ef95)
    }
}

@Suite("Other programs' rules, judged by packets", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct JudgedPacketTests {
    @Test("The judge's answer is the kernel's: mark, connection's mark, source and verdict, at every hook", arguments: Stage.all)
    func judge(_ stage: Stage) async throws {
        try await NetworkNamespace.run { namespace in
            let director = try Director(stage.family, in: namespace)
            var (all, unknown, marked, translated, redirected) = (0, 0, 0, 0, 0)
            for round in rounds(20, 60) {
                var foreign = ForeignTables(
                    numbers: stage.numbers(round), family: stage.family, isTracking: stage.isTracking)
                let dump = foreign.dump(rules: 40)
                try namespace.restore(dump, stage.family, tracking: stage.isTracking)
                if round % 3 == 0 { _ = try await namespace.reconcile(to: try stage.ownConfiguration()) }
                let verdicts = Verdicts(judge: Judge(tables: try namespace.tables(stage.family)), director: director)
                var trips = Trips(
                    numbers: foreign.numbers, family: stage.family, isTracking: stage.isTracking,
                    isRedirected: dump.contains("DNAT"))
                let first = try trips.some(120)
                var journeys = zip(first, try director.fates(of: first)).map { ($0, $1, UInt32(0), true) }
                if stage.isTracking { journeys += try laterPackets(journeys.map { ($0.0, $0.1) }, director) }
                for (trip, fate, saved, isFirst) in journeys {
                    all += 1
                    guard
                        case .known(var said) = verdicts.fate(
                            of: trip, connectionMark: saved, isFirst: isFirst, isTracking: stage.isTracking)
                    else {
                        unknown += 1
                        continue
                    }
                    // Later packets keep what the first got, and without ports two connections may not have one address.
                    if !isFirst || trip.packet.sourcePort == nil && said.source != trip.packet.source {
                        if isFirst && fate.isDropped { continue }
                        said.source = nil
                    }
                    #expect(fate.isAsSaid(said), "\(trip)\n\(fate)\n\(said)\nround \(round)\n\(dump)")
                    if fate.mark != 0 { marked += 1 }
                    if let source = fate.source, source != trip.packet.source { translated += 1 }
                    if let destination = fate.destination,
                        destination != trip.packet.destination || fate.destinationPort != trip.packet.destinationPort
                    {
                        redirected += 1
                    }
                }
            }
            print(
                "\(stage.testDescription): \(all) packets, \(unknown) unknown, \(marked) marked, \(translated) translated, "
                    + "\(redirected) redirected")
            #expect(unknown * 10 <= all && marked * 4 > all)
            if stage.isTracking { #expect(translated * 50 > all && redirected * 200 > all) }
        }
    }

    /// Second packets of some connections, answers to others, and what follows the answers.
    private func laterPackets(
        _ first: [(Trip, Fate)], _ director: Director
    ) throws -> [(Trip, Fate, UInt32, Bool)] {
        var result: [(Trip, Fate, UInt32, Bool)] = []
        let followed = first.filter {
            !$0.1.isDropped && $0.1.connectionMark != nil && $0.1.destination == $0.0.packet.destination
                && $0.1.destinationPort == $0.0.packet.destinationPort
        }
        let again = followed.enumerated().filter { $0.offset % 3 == 0 }.map(\.element)
        let fates = try director.fates(of: again.map(\.0))
        for ((trip, fate), next) in zip(again, fates) { result.append((trip, next, fate.connectionMark ?? 0, false)) }
        // Answers of servers that clients reached without any translation.
        let answered = followed.enumerated().filter { offset, entry in
            offset % 3 == 1 && entry.0.way == .forwarded && entry.0.packet.protocolNumber == 17
                && entry.1.source == entry.0.packet.source
                && ForeignTables.remote(director.family).contains("\(entry.1.source.map { "\($0)" } ?? "")")
        }.map(\.element)
        let answers = answered.map { trip, _ in
            var answer = trip.answer
            answer.packet.outInterface = answer.packet.destination.map(Trips.outgoing)
            return answer
        }
        for (((_, fate), answer), next) in zip(zip(answered, answers), try director.fates(of: answers)) {
            result.append((answer, next, fate.connectionMark ?? 0, false))
        }
        return result
    }
}

extension Stage {
    /// A file of ours that is in force beside the other rules.
    func ownConfiguration() throws -> Configuration {
        func prefix(_ text: String) throws -> Prefix { try Prefix(parsing: text) }
        let service = Service(
            name: "own", mark: try Mark(0x50),
            addresses: Selection([try prefix(ForeignTables.local(family)[0]), try prefix(ForeignTables.remote(family)[0])]),
            traffic: Traffic(tcp: [PortRange(21), PortRange(10_000, 15_000)]), hooks: [.prerouting, .input, .output])
        var masquerade = Masquerade(name: "own")
        masquerade.sources = Selection([try prefix(ForeignTables.prefixes(family)[5])])
        return Configuration(services: [service], masquerades: isTracking ? [masquerade] : [])
    }
}

extension NetworkNamespace {
    /// Puts other programs' rules into the place of all that is there.
    func restore(_ dump: String, _ family: Family, tracking: Bool) throws {
        let program = "\(family.command)-legacy"
        try run("\(program)-restore", input: tracking ? "*raw\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT\n" : "")
        // Connections are followed though no rule of the dump may ask for it.
        try run("\(program)-restore", input: dump)
        if tracking {
            try run(program, "-t", "filter", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID")
            try Connections.flush()
        }
    }

    /// The family's tables as the kernel has them.
    func tables(_ family: Family) throws -> [TableID: [Chain]] {
        var tables: [TableID: [Chain]] = [:]
        for table in Table.allCases {
            tables[TableID(family, table)] = try KernelTables(lockPath: lockPath).snapshot(TableID(family, table))?.chains.map(
                \.chain)
        }
        return tables
    }

    func reconcile(to configuration: Configuration, replacing: [Replacement] = []) async throws -> Outcome {
        try await Reconciler(KernelTables(lockPath: lockPath), hookPosition: configuration.daemon.hookPosition).reconcile(
            to: Planner.plan(for: configuration).ruleset, replacing: replacing)
    }
}
