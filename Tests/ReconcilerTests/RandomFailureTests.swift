// SPDX-License-Identifier: GPL-2.0-or-later
import FakeKernel
import Glibc
import Netfilter
import RandomNumbers
import Rules
import Testing

@testable import Reconciler

@Suite("Reconciling while commits fail at random")
struct RandomFailureTests {
    private let wanted = ruleset([nat: ["fwmarkd-nat": "N"], mangle: ["fwmarkd-mark": "AB"]])
    private let natAfter = "POSTROUTING: >  fwmarkd-nat: N"
    private let mangleAfter = "PREROUTING: >x  fwmarkd-mark: AB"

    /// What becomes of the next commits of a table.
    private func faults(_ random: inout SeededNumbers) -> [FakeKernel.Fault?] {
        let numbers = [EAGAIN, EINVAL, ENOMEM]
        return (0..<Int.random(in: 0...12, using: &random)).map { _ in
            switch Int.random(in: 0..<4, using: &random) {
            case 0: nil
            case 1: .applyThenAnswer(numbers.randomElement(using: &random) ?? EINVAL)
            default: .refuse(numbers.randomElement(using: &random) ?? EINVAL)
            }
        }
    }

    @Test("Whatever fails wherever, each table ends with the old rules or the new ones, whole, and the error says which")
    func randomFaults() async throws {
        var random = SeededNumbers(11)
        for round in 0..<500 {
            let oldNAT = table(nat, ["fwmarkd-nat": "O", "POSTROUTING": ">"])
            let kernel = FakeKernel([oldNAT, table(mangle, ["PREROUTING": "x"])])
            let old = kernel.tables
            let (first, second) = (faults(&random), faults(&random))
            kernel.with { $0.faults = [nat: first, mangle: second] }
            let clock = ManualClock()
            do {
                _ = try await Reconciler(kernel, clock: clock).reconcile(to: wanted)
                #expect(picture(kernel.tables[nat]) == natAfter && picture(kernel.tables[mangle]) == mangleAfter, "round \(round)")
            } catch {
                let isOld = kernel.tables == old
                #expect(isOld == (error.state != .mixed), "round \(round): \(error)")
                for (id, done) in [(nat, natAfter), (mangle, mangleAfter)] {
                    #expect([picture(old[id]), done].contains(picture(kernel.tables[id])), "round \(round)")
                }
            }
            #expect(clock.pauses.count < 6)
        }
    }
}
