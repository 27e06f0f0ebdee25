import ConfigurationFile
import Importer
import NamespaceSupport
import Netfilter
import Planner
import Reconciler
import Rules
import Testing
import XTables

@Suite("Rules of a kernel as a configuration", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct KernelImportTests {
    @Test("A dump that was restored is imported as from its file, adopted, and nothing else is touched", arguments: dumps)
    func adopts(_ dump: Dump) async throws {
        try await NetworkNamespace.run { namespace in
            try namespace.run("iptables-legacy-restore", input: dump.text + "\n")
            let tables = KernelTables(lockPath: namespace.lockPath)
            func found() throws -> FoundRules {
                FoundRules(parsing: try TableID.allCases.compactMap { try tables.snapshot($0) }.map(RulePrinter.saved).joined())
            }
            let before = try found()
            let imported = ImportedRules(before)
            #expect(imported.originals.map { "-A \($0.chain) \($0.text)" } == dump.imported)
            #expect(
                imported.configuration.withoutPositions
                    == ImportedRules(FoundRules(parsing: dump.text)).configuration.withoutPositions)

            let configuration = try load(imported.text)
            let again = ImportedRules(before, hookPosition: configuration.daemon.hookPosition)
            let covered = again.covered(by: configuration)
            #expect(covered == again.originals)
            let originals = try covered.map { rule in
                let id = TableID(rule.family, try #require(Table(rawValue: rule.table)))
                let chain = ChainName(fromKernel: rule.chain)
                return Original(id, chain, try #require(try tables.snapshot(id)?[chain]).rules[rule.number - 1].content)
            }
            let ruleset = Planner.ruleset(for: configuration)
            let reconciler = Reconciler(tables, hookPosition: configuration.daemon.hookPosition == .first ? .first : .last)
            let outcome = try await reconciler.adopt(originals, into: ruleset)
            #expect(outcome.changes.count { $0.kind == .remove } == covered.count && outcome.warnings == [])
            #expect(try reconciler.difference(to: ruleset).changes == [])

            let gone = Set(covered)
            func others(_ rules: FoundRules) -> [String] {
                rules.tables.sorted { $0.key.name < $1.key.name }.flatMap(\.value)
                    .filter { !ChainName(fromKernel: $0.name).isOurs }.flatMap(\.rules)
                    .filter { !gone.contains($0) && !$0.text.contains("FWMARKD-") }.map(\.command)
            }
            #expect(others(try found()) == others(before))
        }
    }
}
