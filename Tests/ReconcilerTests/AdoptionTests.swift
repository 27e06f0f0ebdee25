import FakeKernel
import Glibc
import Netfilter
import Reconciler
import Rules
import Testing

@Suite("Adopting rules that somebody typed")
struct AdoptionTests {
    private let wanted = ruleset([nat: ["FWMARKD-NAT": "N"], mangle: ["FWMARKD-MARK": "AB"]])
    private let kernel = FakeKernel([
        table(nat, ["POSTROUTING": "xny"], packets: 5), table(mangle, ["PREROUTING": "paqbra", "OTHER": "a"], packets: 7),
    ])
    private let originals = [
        Original(nat, .postrouting, .rule(rule("n"))), Original(mangle, .prerouting, .rule(rule("a"))),
        Original(mangle, .prerouting, .rule(rule("b"))), Original(mangle, .prerouting, .rule(rule("z"))),
    ]
    private let before = (nat: "POSTROUTING: xny", mangle: "PREROUTING: paqbra  OTHER: a")

    private func adopt(_ originals: [Original]? = nil) async throws(ReconcileError) -> Outcome {
        try await Reconciler(kernel, clock: ManualClock()).adopt(originals ?? self.originals, into: wanted)
    }

    @Test("The originals go in the commit in which ours appear; what is not named stays, with its counters")
    func success() async throws {
        let outcome = try await adopt()
        #expect(picture(kernel.tables[nat]) == "POSTROUTING: >xy  FWMARKD-NAT: N")
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >pqra  FWMARKD-MARK: AB  OTHER: a")
        #expect(kernel.commits == ["commit ipv4 nat", "commit ipv4 mangle"])
        #expect(outcome.changes.filter { $0.kind == .remove }.map { $0.rule?.comment } == ["n", "a", "b"])
        let others = kernel.tables[mangle]?[.prerouting]?.rules.filter { !$0.isOurJump }.map(\.counters.packets)
        #expect(others == [7, 7, 7, 7])
    }

    @Test("Ours that are there already are left alone")
    func again() async throws {
        _ = try await adopt([])
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >paqbra  FWMARKD-MARK: AB  OTHER: a")
        _ = try await adopt()
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >pqra  FWMARKD-MARK: AB  OTHER: a")
        let count = kernel.commits.count
        let outcome = try await adopt()
        // The second a was not named twice, and goes now.
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >pqr  FWMARKD-MARK: AB  OTHER: a")
        #expect(outcome.changes.count == 1 && kernel.commits.count == count + 1)
    }

    @Test("Where a later table is refused, the originals are put back where they stood", arguments: [EAGAIN, EINVAL, ENOMEM])
    func refused(_ number: CInt) async throws {
        kernel.with { $0.faults[mangle] = [.refuse(number)] }
        let error = await #expect(throws: ReconcileError.self) { try await adopt() }
        #expect(error?.state == .rolledBack)
        expectBefore()
    }

    @Test("A commit that was answered with an error and is in force all the same counts")
    func appliedAfterAll() async throws {
        kernel.with { $0.faults[nat] = [.applyThenAnswer(EINVAL)] }
        let outcome = try await adopt()
        #expect(picture(kernel.tables[nat]) == "POSTROUTING: >xy  FWMARKD-NAT: N")
        #expect(outcome.warnings.count == 1)
    }

    @Test("An original that somebody puts back before the table is read again is not called done")
    func interference() async throws {
        kernel.with {
            $0.faults[mangle] = [.interfereAfter { $0.change(.prerouting) { rules in rules.append(standing("b")) } }]
        }
        let error = await #expect(throws: ReconcileError.self) { try await adopt() }
        #expect(error?.causes.first?.code == .changedMeanwhile)
        #expect(picture(kernel.tables[nat]) == before.nat)
    }

    @Test("What the kernel lacks is named before anything is touched")
    func missing() async throws {
        kernel.with { $0.missing[.ipv4] = ["the kernel has no target MARK for ipv4"] }
        let error = await #expect(throws: ReconcileError.self) { try await adopt() }
        #expect(error?.state == .unchanged)
        expectBefore()
        #expect(kernel.commits == [])
    }

    private func expectBefore() {
        #expect(picture(kernel.tables[nat]) == before.nat)
        #expect(picture(kernel.tables[mangle]) == before.mangle)
    }
}
