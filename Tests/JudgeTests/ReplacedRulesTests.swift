// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Importer
import NamespaceSupport
import Netfilter
import PacketSupport
import Planner
import Reconciler
import Rules
import Testing

@Suite("Ours in the place of other programs' rules, judged by packets", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct ReplacedRulesTests {
    /// A dump in the kernel, and what its packets got.
    private struct Scene {
        let stage: Stage
        let namespace: NetworkNamespace
        let director: Director
        let dump: String
        let trips: [Trip]

        init(_ stage: Stage, _ namespace: NetworkNamespace, _ director: Director, _ round: Int) throws {
            (self.stage, self.namespace, self.director) = (stage, namespace, director)
            var foreign = ForeignTables(numbers: stage.numbers(10_000 + round), family: stage.family, isTracking: stage.isTracking)
            foreign.hasUnknowns = false
            dump = foreign.dump(rules: 2 + round % 9)
            var trips = Trips(
                numbers: foreign.numbers, family: stage.family, isTracking: stage.isTracking, isRedirected: dump.contains("DNAT"))
            self.trips = try trips.some(80)
            try restore()
        }

        func restore() throws { try namespace.restore(dump, stage.family, tracking: stage.isTracking) }

        /// The packets' fates: of the first ones, then of the same again, whose connections are known.
        func fates() throws -> [Fate] {
            if stage.isTracking { try Connections.flush() }
            let first = try director.fates(of: trips)
            return try stage.isTracking ? first + director.fates(of: trips) : first
        }

        func found() throws -> (FoundRules, [TableID: [Chain]]) {
            let tables = try namespace.tables(stage.family)
            return (FoundRules(tables: tables), tables)
        }
    }

    @Test(
        "--adopt: every packet has the same mark, connection's mark, source and verdict, or nothing was changed",
        arguments: Stage.all)
    func adopt(_ stage: Stage) async throws {
        try await NetworkNamespace.run { namespace in
            let director = try Director(stage.family, in: namespace)
            let kernel = KernelTables(lockPath: namespace.lockPath)
            var (adopted, all) = (0, 0)
            for round in rounds(25, 600) {
                let scene = try Scene(stage, namespace, director, round)
                let isBeside = round % 3 == 0
                let own = isBeside ? try stage.ownConfiguration() : Configuration()
                if isBeside { _ = try await namespace.reconcile(to: own) }
                let (found, tables) = try scene.found()
                var configuration = ImportedRules(found, hookPosition: isBeside ? .first : nil).configuration
                let position = configuration.daemon.hookPosition
                let originals = ImportedRules(found, hookPosition: position).originals
                guard !originals.isEmpty else { continue }
                all += 1
                configuration.services = own.services + configuration.services
                configuration.masquerades = own.masquerades + configuration.masquerades
                let before = try scene.fates()
                let ruleset = Planner.plan(for: configuration).ruleset
                guard let proof = try? AdoptionProof(ruleset, replacing: originals, in: tables, hookPosition: position) else {
                    continue
                }
                let replacements = try TableID.ours.filter { $0.family == stage.family }.compactMap { id in
                    try kernel.snapshot(id).map { Replacement(in: $0, removing: proof.removed[id] ?? [:]) }
                }
                _ = try await namespace.reconcile(to: configuration, replacing: replacements)
                adopted += 1
                expect(try scene.fates(), before, scene, round, "\(proof.removed)")
            }
            print("--adopt, \(stage.testDescription): \(adopted) of \(all)")
            #expect(adopted * 2 >= all && adopted > 0)
        }
    }

    @Test("import, applied by hand in the place of what it names: no packet changes", arguments: Stage.all)
    func importByHand(_ stage: Stage) async throws {
        try await NetworkNamespace.run { namespace in
            let director = try Director(stage.family, in: namespace)
            var all = 0
            for round in rounds(15, 500) {
                let scene = try Scene(stage, namespace, director, round)
                let imported = ImportedRules(try scene.found().0)
                guard !imported.originals.isEmpty else { continue }
                all += 1
                // What is printed is what check accepts, and means it.
                let text = ConfigurationText(path: "fwmarkd.yaml", bytes: Array(imported.text.utf8))
                guard let configuration = try? Configuration.load([text]).configuration else {
                    Issue.record("round \(round): refused\n\(imported.text)\n\(scene.dump)")
                    continue
                }
                #expect(configuration == imported.configuration, "\(imported.text)")
                let before = try scene.fates()
                try namespace.delete(imported.originals, stage.family)
                _ = try await namespace.reconcile(to: configuration)
                expect(try scene.fates(), before, scene, round, imported.text)
            }
            print("import by hand, \(stage.testDescription): \(all)")
            #expect(all > 0)
        }
    }

    private func expect(_ after: [Fate], _ before: [Fate], _ scene: Scene, _ round: Int, _ comment: String) {
        guard after != before, let index = zip(after, before).enumerated().first(where: { $1.0 != $1.1 })?.offset else { return }
        let trip = scene.trips[index % scene.trips.count]
        Issue.record("round \(round): \(trip)\nbefore \(before[index])\nafter \(after[index])\n\(scene.dump)\n\(comment)")
    }
}

extension NetworkNamespace {
    /// Takes the rules out by hand.
    func delete(_ rules: [FoundRule], _ family: Family) throws {
        let lines = rules.sorted { ($0.table, $0.chain, $1.number) < ($1.table, $1.chain, $0.number) }
        for table in [Table.nat, .mangle] {
            let gone = lines.filter { $0.table.table == table }.map { "-D \($0.chain) \($0.number)\n" }.joined()
            try run("\(family.command)-legacy-restore", "--noflush", input: "*\(table)\n\(gone)COMMIT\n")
        }
    }
}
