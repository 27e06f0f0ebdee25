// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import NamespaceSupport
import Planner
import Reconciler
import Rules
import Testing

/// The repository's folder.
let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

private let examples = repository.appendingPathComponent("Configs/examples")
private let golden = repository.appendingPathComponent("Tests/KernelTests/Golden")

private let exampleNames: [String] = {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: examples.path)) ?? []
    return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
}()

@Suite("Each example in the kernel, as iptables-legacy-save shows it", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct GoldenTests {
    @Test("There are the examples that the documentation names")
    func names() {
        #expect(Set(exampleNames).isSuperset(of: ["dual-stack", "ftp", "ftp-wide-range", "web"]))
    }

    @Test("An example puts into the kernel what is in Golden", arguments: exampleNames, Family.allCases)
    func equalsGolden(_ name: String, _ family: Family) async throws {
        let file = golden.appendingPathComponent("\(name).\(family)")
        let configuration = try Configuration.load(path: examples.appendingPathComponent("\(name).yaml").path)
        try await NetworkNamespace.run { namespace in
            let (reconciler, commits) = namespace.reconciler()
            let ruleset = Planner.plan(for: configuration.configuration).ruleset
            _ = try await reconciler.reconcile(to: ruleset)
            let saved = try namespace.saved(family)
            // FWMARKD_WRITE_GOLDEN=1 writes the files anew, to be read before they are committed.
            if ProcessInfo.processInfo.environment["FWMARKD_WRITE_GOLDEN"] == "1" { try Data(saved.utf8).write(to: file) }
            #expect(saved == (try String(contentsOf: file, encoding: .utf8)))
            #expect(commits.value == ruleset.tables.count)
            _ = try await reconciler.reconcile(to: ruleset)
            #expect(commits.value == ruleset.tables.count, "the second time nothing is committed")
        }
    }
}
