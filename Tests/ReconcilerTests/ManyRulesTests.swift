// SPDX-License-Identifier: GPL-2.0-or-later
import FakeKernel
import Rules
import Testing

@testable import Netfilter
@testable import Reconciler

/// Where there are thousands of rules, two tables are worked on at once.
@Suite("Thousands of rules")
struct ManyRulesTests {
    private let wanted = ruleset([
        nat: ["fwmarkd-nat": "N"], mangle: ["fwmarkd-mark": String(repeating: "AB", count: 600)],
    ])
    private let kernel = FakeKernel([table(nat, [:]), table(mangle, ["PREROUTING": "x"])])

    private func reconcile() async throws(ReconcileError) -> Outcome {
        try await Reconciler(kernel, clock: ManualClock()).reconcile(to: wanted)
    }

    @Test("All tables are brought to what they should be, and every change is reported with its number")
    func success() async throws {
        let outcome = try await reconcile()
        #expect(kernel.commits == ["commit ipv4 nat", "commit ipv4 mangle"])
        let added = outcome.changes.filter { $0.chain == .mark && $0.kind == .add }
        #expect(added.map(\.number) == Array(1...1200))
        #expect(added.map { $0.rule?.comment } == (0..<1200).map { $0 % 2 == 0 ? "A" : "B" })
        #expect(try await reconcile().changes == [])
        #expect(kernel.commits.count == 2)
    }

    @Test("A table that proves wrong while the next is committed is found, and all is done again")
    func provesWrong() async throws {
        kernel.with { state in
            state.faults[nat] = [.interfereAfter { $0.change(chainName("fwmarkd-nat")) { $0 = [] } }]
        }
        let outcome = try await reconcile()
        #expect(outcome.attempts == 2)
        #expect(picture(kernel.tables[nat]) == "POSTROUTING: >  fwmarkd-nat: N")
        #expect(kernel.tables[mangle]?[.mark]?.rules.count == 1200)
    }

    @Test("Where a table cannot be committed, the one before it is put back")
    func putBack() async throws {
        kernel.with { $0.faults[mangle] = Array(repeating: .refuse(1), count: 100) }
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.state == .rolledBack)
        #expect(picture(kernel.tables[nat]) == "" && picture(kernel.tables[mangle]) == "PREROUTING: x")
    }
}
