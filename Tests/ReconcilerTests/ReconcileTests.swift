// SPDX-License-Identifier: GPL-2.0-or-later
import FakeKernel
import Glibc
import Rules
import Synchronization
import Testing

@testable import Netfilter
@testable import Reconciler

/// What a commit may be answered with.
private let numbers = [EAGAIN, EINVAL, ENOMEM]

@Suite("Reconciling against a kernel that fails on purpose")
struct ReconcileTests {
    private let wanted = ruleset([nat: ["fwmarkd-nat": "N"], mangle: ["fwmarkd-mark": "AB"]])
    private let natDone = "POSTROUTING: >  fwmarkd-nat: N"
    private let mangleDone = "PREROUTING: >x  fwmarkd-mark: AB"
    private let kernel = FakeKernel([table(nat, [:]), table(mangle, ["PREROUTING": "x"])])
    private let clock = ManualClock()
    private let outOfMemory: [FakeKernel.Fault?] = Array(repeating: .refuse(ENOMEM), count: 100)

    private func reconcile(to ruleset: Ruleset? = nil, clock: ManualClock? = nil) async throws(ReconcileError) -> Outcome {
        try await Reconciler(kernel, lockTimeout: .seconds(3), clock: clock ?? self.clock).reconcile(to: ruleset ?? wanted)
    }

    private func expectDone(_ comment: Comment? = nil) {
        #expect(picture(kernel.tables[nat]) == natDone, comment)
        #expect(picture(kernel.tables[mangle]) == mangleDone, comment)
    }

    /// As it was before anything was tried.
    private func expectUntouched() {
        #expect(picture(kernel.tables[nat]) == "")
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: x")
    }

    @Test("All goes well: nat is committed before mangle, each once, and the second time nothing is")
    func success() async throws {
        let outcome = try await reconcile()
        expectDone()
        #expect(outcome.attempts == 1 && outcome.warnings == [] && outcome.changes.count == 7)
        #expect(kernel.commits == ["commit ipv4 nat", "commit ipv4 mangle"])
        #expect(try await reconcile().changes == [])
        #expect(kernel.commits.count == 2)
        #expect(clock.pauses == [])
        #expect(kernel.tables.count == 2, "tables in which nothing is wanted are not made")
    }

    @Test("Removal goes the other way: no mark without its translation at any moment")
    func removal() async throws {
        _ = try await reconcile()
        let outcome = try await reconcile(to: Ruleset())
        expectUntouched()
        #expect(kernel.commits.suffix(2) == ["commit ipv4 mangle", "commit ipv4 nat"])
        #expect(outcome.warnings == [])
    }

    @Test("A commit that fails a few times is tried again, with pauses that double", arguments: numbers)
    func failsAFewTimes(_ number: CInt) async throws {
        kernel.with { $0.faults[mangle] = [.refuse(number), .refuse(number), .refuse(number)] }
        let outcome = try await reconcile()
        expectDone()
        #expect(outcome.attempts == 4)
        #expect(clock.pauses.count == 3)
        for (pause, least) in zip(clock.pauses, [20, 40, 80]) {
            #expect(pause >= .milliseconds(least) && pause < .milliseconds(least + least / 2))
        }
    }

    @Test("A commit that never succeeds is given up after six attempts; nothing is left of it", arguments: numbers)
    func failsForGood(_ number: CInt) async throws {
        kernel.with { $0.faults[nat] = Array(repeating: .refuse(number), count: 100) }
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.state == .unchanged && error?.attempts == 6 && error?.causes.map(\.errno) == [number])
        #expect(error?.description.hasSuffix("(after 6 attempts); the kernel's rules are unchanged") == true)
        expectUntouched()
    }

    @Test("A commit that was applied and answered with an error is done, and says so", arguments: numbers)
    func appliedThenError(_ number: CInt) async throws {
        kernel.with { $0.faults[mangle] = [.applyThenAnswer(number)] }
        let outcome = try await reconcile()
        expectDone()
        #expect(outcome.attempts == 1)
        #expect(outcome.warnings.count == 1 && outcome.warnings[0].contains("in force all the same"))
    }

    @Test("A foreign change between reading and commit that alters the count is not lost: EAGAIN, and all over again")
    func changedCount() async throws {
        kernel.with { $0.faults[mangle] = [.interfereBefore { $0.change(Hook.prerouting.chain) { $0.append(standing("y")) } }] }
        let outcome = try await reconcile()
        #expect(outcome.attempts == 2)
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >xy  fwmarkd-mark: AB")
        #expect(picture(kernel.tables[nat]) == natDone)
    }

    @Test("A foreign change of the same count does not keep ours from being exact")
    func sameCount() async throws {
        kernel.with { $0.faults[mangle] = [.interfereBefore { $0.change(Hook.prerouting.chain) { $0 = [standing("y")] } }] }
        _ = try await reconcile()
        // The kernel overwrites it without a word (FIELD-NOTES); only the lock could have kept it.
        expectDone()
    }

    @Test("A change between the commit and the look after it is found, and repaired")
    func changedAfter() async throws {
        kernel.with { $0.faults[mangle] = [.interfereAfter { $0.change(.mark) { $0.removeLast() } }] }
        let outcome = try await reconcile()
        expectDone()
        #expect(outcome.attempts == 2)
    }

    @Test("When mangle is refused after nat was committed, nat is put back, counters and doubled jumps included")
    func secondTableRefused() async throws {
        kernel.with { state in
            state.tables[nat] = table(nat, ["POSTROUTING": "y>", "fwmarkd-nat": "MN", "fwmarkd-old": "O"], packets: 3)
            let rule = KernelRule(jump(.nat), counters: Counters(packets: 4, bytes: 5))
            state.tables[nat]?.change(Hook.postrouting.chain) { $0.append(rule) }
            state.faults[mangle] = Array(repeating: .refuse(EINVAL), count: 100)
        }
        let before = kernel.tables
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.state == .rolledBack && error?.attempts == 6)
        #expect(kernel.tables == before)
    }

    @Test("The same between families: IPv6 is refused after IPv4 was committed")
    func secondFamilyRefused() async throws {
        let six = TableID(.ipv6, .mangle)
        kernel.with { $0.faults[six] = outOfMemory }
        let both = ruleset([mangle: ["fwmarkd-mark": "A"], six: ["fwmarkd-mark": "A"]])
        let error = await #expect(throws: ReconcileError.self) { try await reconcile(to: both) }
        #expect(error?.state == .rolledBack)
        expectUntouched()
        #expect(kernel.tables[six] == nil)
    }

    @Test("When putting back is refused too, the state is mixed, and a later attempt may still come through")
    func mixedThenDone() async throws {
        kernel.with { $0.faults = [nat: [nil, .refuse(ENOMEM)], mangle: [.refuse(ENOMEM)]] }
        let outcome = try await reconcile()
        #expect(outcome.attempts == 2)
        expectDone()
    }

    @Test("A mixed state is named as such at the end, whatever the last attempt did")
    func mixedForGood() async throws {
        kernel.with { $0.faults = [nat: [nil] + outOfMemory, mangle: outOfMemory] }
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.state == .mixed && error?.attempts == 6)
        #expect(error?.description.contains("ipv4 nat could not be put back") == true)
        #expect(picture(kernel.tables[nat]) == natDone)
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: x")
    }

    @Test("What one attempt could not put back, the next one that fails does")
    func putBackLater() async throws {
        kernel.with { $0.faults = [nat: [nil, .refuse(ENOMEM)], mangle: outOfMemory] }
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.state == .rolledBack || error?.state == .unchanged)
        expectUntouched()
    }

    @Test("When mangle cannot even be prepared, nat is not committed")
    func prepareFails() async throws {
        kernel.with { $0.prepareFaults = [nil, NetfilterError(.unencodable, "no room")] }
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.state == .unchanged && error?.attempts == 1, "trying again would not help")
        #expect(kernel.commits == [])
        expectUntouched()
    }

    @Test("A table that cannot be read is an error that names the cause, and nothing is committed")
    func readFails() async throws {
        kernel.with { $0.snapshotFaults = [NetfilterError(errno: 1, "reading ipv4 nat")] }
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.causes.map(\.code) == [.notPermitted])
        #expect(kernel.commits == [])
    }

    @Test("A table that cannot be read back after its commit counts as failed")
    func readBackFails() async throws {
        let busy = NetfilterError(errno: EAGAIN, "reading ipv4 nat")
        kernel.with { $0.snapshotFaults = [nil, nil, nil, nil, nil, nil, busy] }
        let outcome = try await reconcile()
        #expect(outcome.attempts == 2)
        expectDone()
    }

    @Test("The rule that holds connection tracking goes after the translations that it holds it for")
    func holdGoesLast() async throws {
        let kernel = FakeKernel([
            table(nat, ["POSTROUTING": ">", "fwmarkd-nat": "N"]),
            table(mangle, ["PREROUTING": "x>", "fwmarkd-mark": "A", "fwmarkd-hold": "H"]),
        ])
        kernel.with { state in
            state.faults[nat] = [.interfereBefore { _ in }]
        }
        _ = try await Reconciler(kernel, clock: clock).reconcile(to: Ruleset())
        #expect(kernel.commits == ["commit ipv4 mangle", "commit ipv4 nat", "commit ipv4 mangle"])
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: x" && picture(kernel.tables[nat]) == "")
    }

    @Test("An edit that cannot be made is left out and reported, and does not keep others from being made")
    func leftOut() async throws {
        kernel.with { $0.tables[mangle] = table(mangle, ["PREROUTING": "x", "fwmarkd-stuck": "S"]) }
        let outcome = try await reconcile()
        #expect(picture(kernel.tables[mangle]) == "PREROUTING: >x  fwmarkd-mark: AB  fwmarkd-stuck: S")
        #expect(outcome.warnings.count == 2 && outcome.warnings[0].contains("fwmarkd-stuck"))
        expectDone2()
    }

    private func expectDone2() { #expect(picture(kernel.tables[nat]) == natDone) }

    @Test("A match or target that the kernel lacks is named before the lock is taken or anything committed")
    func preflight() async throws {
        let sentence = "the kernel's target MARK has no revision 2 for ipv4"
        kernel.with { $0.missing = [.ipv4: [sentence]] }
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.causes == [NetfilterError(.notSupported, sentence)] && error?.state == .unchanged)
        #expect(kernel.log == [] && clock.pauses == [])
    }

    @Test("What the kernel lacks for IPv6 does not matter to a file without IPv6")
    func noIPv6() async throws {
        kernel.with { $0.missing = [.ipv6: ["the kernel has no target MARK for ipv6"]] }
        _ = try await reconcile()
        expectDone()
    }

    @Test("A lock that is soon free is waited for")
    func lockSoonFree() async throws {
        kernel.with { $0.lockIsTaken = 10 }
        let outcome = try await reconcile()
        #expect(outcome.attempts == 1 && clock.pauses.count == 10)
        expectDone()
    }

    @Test("A lock that is never free ends in an error after its timeout; nothing was read or changed")
    func lockNeverFree() async throws {
        kernel.with { $0.lockIsTaken = .max }
        let error = await #expect(throws: ReconcileError.self) { try await reconcile() }
        #expect(error?.causes.map(\.code) == [.lockTimeout] && error?.state == .unchanged)
        #expect(error?.description.contains("/run/fake.lock") == true)
        #expect(clock.now.offset == .seconds(3))
        #expect(kernel.log == [])
    }

    @Test("A cancelled task stops between attempts, and leaves a whole state")
    func cancelledBetweenAttempts() async throws {
        kernel.with { $0.faults[mangle] = Array(repeating: .refuse(EINVAL), count: 100) }
        let clock = ManualClock { count in if count == 2 { withUnsafeCurrentTask { $0?.cancel() } } }
        let task = Task { try await Reconciler(kernel, clock: clock).reconcile(to: wanted) }
        let error = await #expect(throws: ReconcileError.self) { try await task.value }
        #expect(error?.state == .rolledBack && error?.attempts == 2)
        expectUntouched()
    }

    @Test("A cancelled task stops waiting for the lock")
    func cancelledWhileWaiting() async throws {
        kernel.with { $0.lockIsTaken = .max }
        let clock = ManualClock { count in if count == 3 { withUnsafeCurrentTask { $0?.cancel() } } }
        let task = Task { try await Reconciler(kernel, clock: clock).reconcile(to: wanted) }
        let error = await #expect(throws: ReconcileError.self) { try await task.value }
        #expect(error?.state == .unchanged && clock.pauses.count == 3)
    }

    @Test("Other work is done once, where something is committed, and is done when the reconciliation is")
    func meanwhile() async throws {
        let done = Mutex(0)
        kernel.with { $0.faults[mangle] = [.refuse(EAGAIN)] }
        for _ in 0..<2 {
            _ = try await Reconciler(kernel, clock: clock).reconcile(to: wanted) { done.withLock { $0 += 1 } }
            #expect(done.withLock { $0 } == 1)
        }
    }

    @Test("It runs where its caller runs: an actor that owns the kernel is not left")
    func staysOnItsActor() async throws {
        let owner = Owner(kernel)
        #expect(try await owner.reconcile(to: wanted).changes.count == 7)
        expectDone()
    }
}

/// As the daemon's: one actor that owns the kernel.
private actor Owner {
    private let reconciler: Reconciler<FakeKernel>
    init(_ kernel: FakeKernel) { reconciler = Reconciler(kernel, clock: ManualClock()) }
    func reconcile(to ruleset: Ruleset) async throws -> Outcome { try await reconciler.reconcile(to: ruleset) }
}
