// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Importer
import Netfilter
import Planner
import Reconciler
import Rules
import XTables

/// The exchange of other programs' rules for ours.
struct Adoption {
    /// What was done.
    let outcome: Outcome
    /// Rules that might have gone, for which the configuration does not stand.
    let staying: [FoundRule]

    /// Applies the configuration, and takes the rules that it stands for out in the same commits, where that is shown to change no
    /// packet.
    ///
    /// - Throws: `Failure` with what is in the way and what to type; nothing is changed then.
    init(_ configuration: Configuration) async throws {
        let ruleset = Planner.plan(for: configuration).ruleset
        var snapshots: [TableID: TableSnapshot] = [:]
        do throws(NetfilterError) {
            for id in TableID.ours { snapshots[id] = try KernelTables().snapshot(id) }
        } catch {
            throw Failure(error.message)
        }
        let chains = snapshots.mapValues { $0.chains.map(\.chain) }
        let texts = snapshots.mapValues { table in
            table.chains.flatMap { RulePrinter.text(of: $0.rules.map(\.content), table.id.family) }
        }
        let found = FoundRules(tables: chains, texts: texts)
        let originals = ImportedRules(found, hookPosition: configuration.daemon.hookPosition).originals
        if originals.isEmpty { try Adoption.refuseThoseOfNft() }
        let proof: AdoptionProof
        do throws(AdoptionProof.Refusal) {
            proof = try AdoptionProof(ruleset, replacing: originals, in: chains, hookPosition: configuration.daemon.hookPosition)
        } catch {
            throw Failure(Adoption.advice(error, originals))
        }
        let replacements = snapshots.values.filter { proof.removed[$0.id] != nil || ruleset.tables[$0.id] != nil }.map {
            Replacement(in: $0, removing: proof.removed[$0.id] ?? [:])
        }
        do throws(ReconcileError) {
            outcome = try await Reconciler(configuration.daemon).reconcile(to: ruleset, replacing: replacements)
        } catch {
            throw Failure("\(error)")
        }
        staying = proof.staying.sorted { ($0.table, $0.chain, $0.number) < ($1.table, $1.chain, $1.number) }
    }

    /// Rules in nf_tables cannot be exchanged in the commit that puts ours into the legacy tables.
    private static func refuseThoseOfNft() throws(Failure) {
        guard let found = NftRules.found() else { return }
        let originals = ImportedRules(found).originals
        guard !originals.isEmpty else { return }
        let lines = [
            "nothing was changed: the rules are in nf_tables, and --adopt exchanges those of the legacy tables",
            "to do it by hand, type:", "  fwmarkctl apply",
        ]
        throw Failure((lines + deletions(of: originals, "nft")).joined(separator: "\n"))
    }

    /// Commands that delete the rules, from the last of a chain, so that the numbers of those before still hold.
    private static func deletions(of rules: [FoundRule], _ kind: String) -> [String] {
        rules.sorted { ($0.table, $0.chain, $1.number) < ($1.table, $1.chain, $0.number) }
            .map { "  \($0.table.family.command)-\(kind) -t \($0.table.table) -D \($0.chain.shellWord) \($0.number)" }
    }

    /// Why nothing was changed, what is in the way, and what to type to do it by hand.
    private static func advice(_ refusal: AdoptionProof.Refusal, _ originals: [FoundRule]) -> String {
        var lines = ["nothing was changed: \(refusal.table): \(refusal.reason)"]
        if !refusal.inTheWay.isEmpty {
            lines.append("in the way:")
            lines += refusal.inTheWay.map { "  \($0.command)" }
        }
        if !originals.isEmpty {
            lines.append("to do it by hand all the same, type:")
            lines += deletions(of: originals, "legacy")
            lines.append("  fwmarkctl apply")
        }
        return lines.joined(separator: "\n")
    }
}
