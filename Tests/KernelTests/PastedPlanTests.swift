// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import NamespaceSupport
import Netfilter
import Planner
import RandomConfigurations
import RandomNumbers
import Reconciler
import Rules
import Testing
import XTables

@Suite("plan, pasted into a shell", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct PastedPlanTests {
    /// Rules of other programs, and damage to ours.
    private static let disturbances = [
        "-t mangle -A PREROUTING -p tcp --dport 22 -j ACCEPT", "-t mangle -I PREROUTING 1 -s 192.0.2.0/24 -j RETURN",
        "-t nat -A POSTROUTING -o eth9 -j MASQUERADE", "-t mangle -D fwmarkd-mark 1", "-t mangle -D fwmarkd-mark 3",
        "-t mangle -I fwmarkd-mark 2 -m limit --limit 1/s -j DROP", "-t mangle -A fwmarkd-mark -j MARK --set-mark 7",
        "-t mangle -F fwmarkd-mark", "-t nat -F fwmarkd-nat", "-t mangle -N fwmarkd-stray", "-t mangle -A fwmarkd-stray -j DROP",
        "-t mangle -D PREROUTING -j fwmarkd-mark", "-t mangle -A PREROUTING -j fwmarkd-mark", "-t nat -I fwmarkd-nat 1 -j ACCEPT",
        "-t mangle -F", "-t nat -D fwmarkd-nat 2", "-t mangle -A fwmarkd-stray -j fwmarkd-mark",
    ]

    @Test("Every line of it typed does exactly what apply does", arguments: 0..<12 as Range<UInt64>)
    func pasted(_ seed: UInt64) async throws {
        var random = RandomConfiguration(seed: seed &* 977, isCrowded: false, words: .all)
        let before = random.configuration(services: 4, masquerades: 3, allowsConflicts: false)
        let after = seed % 4 == 3 ? Configuration() : random.configuration(services: 5, masquerades: 3, allowsConflicts: false)
        var numbers = SeededNumbers(seed &* 0xd134_2543_de82_ef95)
        let damage = (0..<Int(numbers.next() % 7)).map { _ in Self.disturbances.randomElement(using: &numbers) ?? "" }
        let typed = try await inState(before, damage) { namespace in
            let difference = try Reconciler(KernelTables(lockPath: namespace.lockPath)).difference(
                to: Planner.plan(for: after).ruleset)
            // The words for rules that go are as the commands print them, and are comments for the shell.
            let rules = difference.changes.compactMap { change in change.rule.map { (rule: $0, family: change.table.family) } }
            var texts = RulePrinter.text(of: rules)[...]
            let lines = difference.changes.map { $0.line(rule: $0.rule == nil ? nil : texts.popFirst()).dropFirst(2) }
            try namespace.run("bash", "-e", input: lines.joined(separator: "\n") + "\n")
        }
        let applied = try await inState(before, damage) { namespace in
            _ = try await Reconciler(KernelTables(lockPath: namespace.lockPath)).reconcile(to: Planner.plan(for: after).ruleset)
        }
        #expect(typed == applied, "seed \(seed): \(damage)")
    }

    /// What is in the kernel when the body has run after a configuration and some damage.
    private func inState(
        _ configuration: Configuration, _ damage: [String], _ body: @escaping @Sendable (NetworkNamespace) async throws -> Void
    ) async throws -> [String] {
        try await NetworkNamespace.run { namespace in
            _ = try await Reconciler(KernelTables(lockPath: namespace.lockPath)).reconcile(
                to: Planner.plan(for: configuration).ruleset)
            for line in damage {
                // What cannot be done is as good as not done.
                _ = try namespace.end(of: ["iptables-legacy"] + line.split(separator: " ").map(String.init))
            }
            try await body(namespace)
            return try Family.allCases.map { try namespace.saved($0) }
        }
    }
}
