// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import Importer
import Netfilter
import Planner
import Reconciler
import Rules
import SystemCalls
import XTables

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Print the marking and translating rules in the kernel as a configuration file.",
        discussion: """
            MARK rules of mangle become services or FTP entries, MASQUERADE and SNAT rules of nat POSTROUTING become masquerades. \
            Applied in place of those rules, the file changes no packet. Rules that it cannot take the place of are listed as \
            comments, with the reason. Where the rules are in nf_tables (Debian's iptables), they are read from there.

            With --adopt the kernel gets the rules of the file that --config names, and the rules that it takes the place of are \
            removed in the same commit, if it can be shown that no packet changes. Otherwise nothing is changed, and the rules \
            in the way are named.

            Exit status: 0 done, 1 an error, or nothing was adopted.

            Example:
              fwmarkctl import > fwmarkd.yaml && fwmarkctl check --config ./fwmarkd.yaml
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("Read the output of iptables-save and ip6tables-save; - for standard input.", valueName: "path"))
    var from: String?

    @Flag(help: "Apply the configuration and remove the rules that it takes the place of.")
    var adopt = false

    func validate() throws {
        if adopt, from != nil { throw ValidationError("--adopt works on the kernel, and --from on a file; take one of them") }
    }

    func run() async throws {
        if adopt { return try await adoptOriginals() }
        if let from {
            try StandardOutput.write(ImportedRules(FoundRules(parsing: try ImportCommand.read(from))).text)
        } else {
            try StandardOutput.write(try ImportCommand.fromKernel())
        }
    }

    private func adoptOriginals() async throws {
        let adoption = try await Adoption(try options.load().configuration)
        let outcome = adoption.outcome
        let report = ChangeReport(changes: ChangeMessage.all(outcome.changes), count: outcome.changes.count, isApplied: true)
        let summary = report.count == 0 ? "nothing to do: the kernel has what \(options.config) asks for" : report.summary
        try StandardOutput.write((report.lines(options.style) + [summary, ""]).joined(separator: "\n"))
        StandardError.write(outcome.warnings.map { "fwmarkctl: warning: \($0)" })
        guard !adoption.staying.isEmpty else { return }
        StandardError.note(
            "\(options.config) does not take the place of \(counted(adoption.staying.count, "rule")), which stay:")
        StandardError.write(adoption.staying.map { "  \($0.command)" })
    }

    /// The rules of the legacy tables, else those that Debian's iptables made in nf_tables.
    private static func fromKernel() throws(Failure) -> String {
        let legacy = ImportedRules(try LegacyRules().found)
        guard let found = NftRules.found() else { return legacy.text }
        let nft = ImportedRules(found)
        guard legacy.originals.isEmpty, legacy.leftovers.isEmpty else {
            guard !nft.originals.isEmpty else { return legacy.text }
            return legacy.text
                + "\n# \(counted(nft.originals.count, "more rule")) in nf_tables, made by iptables (nf_tables). To see them as a file:\n"
                + "#     iptables-nft-save > rules && ip6tables-nft-save >> rules && fwmarkctl import --from rules\n"
        }
        return
            "# These rules are in nf_tables, made by iptables (nf_tables). fwmarkd works in the legacy tables: remove them there\n"
            + "# with `iptables-nft` when fwmarkd's rules are in force.\n" + nft.text
    }

    private static func read(_ path: String) throws(Failure) -> [UInt8] {
        do throws(SystemError) {
            return path == "-" ? try StandardInput.readAll() : try RegularFile.read(path, limit: 1 << 30)
        } catch {
            throw Failure("\(error)")
        }
    }
}

/// The rules of the kernel's legacy tables, with the words that libxtables has for them.
struct LegacyRules {
    /// The tables as they were read.
    let tables: [TableID: TableSnapshot]
    /// Their rules.
    let found: FoundRules

    init() throws(Failure) {
        var tables: [TableID: TableSnapshot] = [:]
        var texts: [TableID: [String]] = [:]
        do throws(NetfilterError) {
            for id in Family.allCases.flatMap({ family in Table.allCases.map { TableID(family, $0) } }) {
                guard let table = try KernelTables().snapshot(id) else { continue }
                tables[id] = table
                texts[id] = RulePrinter.text(of: table.chains.flatMap(\.rules).map(\.content), id.family)
            }
        } catch {
            throw Failure(error.message)
        }
        found = FoundRules(tables: tables.mapValues { $0.chains.map(\.chain) }, texts: texts)
        self.tables = tables
    }

    /// The rule's content in the kernel.
    func content(_ rule: FoundRule) -> KernelRule.Content? {
        guard let rules = tables[rule.table]?[rule.chain]?.rules, rules.indices.contains(rule.number - 1) else { return nil }
        return rules[rule.number - 1].content
    }
}
