// SPDX-License-Identifier: GPL-2.0-or-later
import FakeKernel
import Glibc
import Netfilter
import Rules
import Testing

@testable import Reconciler

@Suite("Rules of other programs that ours take the place of")
struct ReplacingTests {
    private let wanted = ruleset([nat: ["fwmarkd-nat": "N"], mangle: ["fwmarkd-mark": "AB"]])
    private let kernel = FakeKernel([
        table(nat, ["POSTROUTING": "xny"], packets: 5), table(mangle, ["PREROUTING": "paqbra", "OTHER": "a"], packets: 7),
    ])
    private let before = (nat: "POSTROUTING: xny", mangle: "PREROUTING: paqbra  OTHER: a")

    private func replacements() throws -> [Replacement] {
        [
            Replacement(in: try #require(kernel.tables[nat]), removing: [Hook.postrouting.chain: [1]]),
            Replacement(in: try #require(kernel.tables[mangle]), removing: [Hook.prerouting.chain: [1, 3]]),
        ]
    }

    private func replace(_ replacements: [Replacement]) async throws(ReconcileError) -> Outcome {
        try await Reconciler(kernel, clock: ManualClock()).reconcile(to: wanted, replacing: replacements)
    }

    @Test("They are removed in the commit that adds ours; all others stay, with their counters")
    func success() async throws {
        let outcome = try await replace(replacements())
        #expect(picture(kernel.tables[nat]) == "POSTROUTING: >xy  fwmarkd-nat: N")
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >pqra  OTHER: a  fwmarkd-mark: AB")
        #expect(kernel.commits == ["commit ipv4 nat", "commit ipv4 mangle"])
        #expect(outcome.changes.filter { $0.kind == .remove }.map { $0.rule?.comment } == ["n", "a", "b"])
        let others = kernel.tables[mangle]?[Hook.prerouting.chain]?.rules.filter { !$0.isOurJump }.map(\.counters.packets)
        #expect(others == [7, 7, 7, 7])
    }

    @Test("Our jumps may have come since the rules were looked at, nothing else")
    func ourJumpsMayCome() async throws {
        let replacements = try replacements()
        _ = try await replace([])
        _ = try await replace(replacements)
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >pqra  OTHER: a  fwmarkd-mark: AB")
    }

    @Test("Where another rule came, went or changed since, nothing is changed", arguments: [0, 1, 2, 3])
    func changedSince(_ what: Int) async throws {
        let replacements = try replacements()
        kernel.with { state in
            let name = what == 3 ? chainName("OTHER") : Hook.prerouting.chain
            state.tables[mangle]?.change(name) { rules in
                switch what {
                case 0: rules.insert(standing("z"), at: 0)
                case 1: rules.remove(at: 1)
                case 2: rules[1] = standing("z")
                default: rules = []
                }
            }
        }
        let tables = kernel.tables
        let error = await #expect(throws: ReconcileError.self) { try await replace(replacements) }
        #expect(error?.state == .unchanged && error?.attempts == 1)
        #expect(kernel.tables == tables && kernel.commits == [])
    }

    @Test("Where a later table is refused, the rules are put back where they were", arguments: [EAGAIN, EINVAL, ENOMEM])
    func refused(_ number: CInt) async throws {
        let tables = kernel.tables
        kernel.with { $0.faults[mangle] = Array(repeating: .refuse(number), count: 100) }
        let replacements = try replacements()
        let error = await #expect(throws: ReconcileError.self) { try await replace(replacements) }
        #expect(error?.state == .rolledBack && error?.attempts == 6)
        #expect(kernel.tables == tables)
    }

    @Test("A commit that fails once is tried again, from the beginning")
    func retried() async throws {
        kernel.with { $0.faults[mangle] = [.refuse(EAGAIN)] }
        let outcome = try await replace(replacements())
        #expect(outcome.attempts == 2)
        #expect(picture(kernel.tables[nat]) == "POSTROUTING: >xy  fwmarkd-nat: N")
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >pqra  OTHER: a  fwmarkd-mark: AB")
    }

    @Test("A rule that another program puts back before the table is read again is not called gone")
    func interference() async throws {
        kernel.with {
            $0.faults[mangle] = [.interfereAfter { $0.change(Hook.prerouting.chain) { rules in rules.append(standing("b")) } }]
        }
        let replacements = try replacements()
        let error = await #expect(throws: ReconcileError.self) { try await replace(replacements) }
        #expect(error?.causes.isEmpty == false)
    }
}
