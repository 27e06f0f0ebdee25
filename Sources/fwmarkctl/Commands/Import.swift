import API
import ArgumentParser
import ConfigurationFile
import Glibc
import Importer
import Netfilter
import Planner
import Reconciler
import Rules
import XTables

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the marking and translating rules that are there as a configuration file.",
        discussion: """
            MARK rules of mangle PREROUTING become services, grouped by mark and ports, or FTP entries; MASQUERADE and SNAT rules of \
            nat POSTROUTING become masquerades. What cannot be said stands in remarks, with the reason. Nothing is changed.

            With --adopt nothing is printed as a file: the kernel gets the rules of the file that --config names, and those rules \
            which it stands for are taken out in the same commit, so that no packet is without its mark.

            Exit status: 0 done, 1 an error.

            Example: fwmarkctl import > fwmarkd.yaml && fwmarkctl check --config ./fwmarkd.yaml
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("Read the output of iptables-save and ip6tables-save; - for standard input.", valueName: "path"))
    var from: String?

    @Flag(help: "Apply the configuration and take the rules out that it stands for.")
    var adopt = false

    func validate() throws {
        if adopt, from != nil { throw ValidationError("--adopt works on the kernel, and --from on a file; take one of them") }
    }

    func run() async throws {
        if adopt { return try await adoptOriginals() }
        let found: FoundRules
        if let from {
            found = FoundRules(parsing: try Import.read(from))
        } else {
            found = try KernelRuleText().found
        }
        try StandardOutput.write(ImportedRules(found).text)
    }

    private func adoptOriginals() async throws {
        let configuration = try options.load().configuration
        let kernel = try KernelRuleText()
        let imported = ImportedRules(kernel.found, hookPosition: configuration.daemon.hookPosition)
        let covered = imported.covered(by: configuration)
        let outcome: Outcome
        do {
            outcome = try await Reconciler(configuration.daemon).adopt(
                covered.compactMap(kernel.original), into: Planner.ruleset(for: configuration))
        } catch {
            throw Failure("\(error)")
        }
        let report = ChangeReport(changes: ChangeMessage.all(outcome.changes), count: outcome.changes.count, isApplied: true)
        let summary = report.count == 0 ? "nothing to do: the kernel has what \(options.config) asks for" : report.summary
        try StandardOutput.write((report.lines(options.style) + [summary, ""]).joined(separator: "\n"))
        StandardError.write(outcome.warnings.map { "fwmarkctl: warning: \($0)" })
        let taken = Set(covered)
        let left = imported.originals.filter { !taken.contains($0) }
        if !left.isEmpty {
            StandardError.note("\(options.config) does not stand for \(HumanText.count(left.count, "rule")), which stay:")
            StandardError.write(left.map { "  \($0.command)" })
        }
    }

    private static func read(_ path: String) throws(Failure) -> String {
        let descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("reading \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure("reading \(path): \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The rules of the kernel's tables in the words of iptables-save, and the way back from those words to the rules.
struct KernelRuleText {
    /// The rules as they are read from the words.
    let found: FoundRules
    private let tables: [TableID: TableSnapshot]

    /// Reads the tables of this network namespace, as far as they exist.
    init() throws(Failure) {
        var text = ""
        var tables: [TableID: TableSnapshot] = [:]
        for id in TableID.allCases {
            do {
                guard let table = try KernelTables().snapshot(id) else { continue }
                tables[id] = table
                text += RulePrinter.saved(table)
            } catch {
                throw Failure(error.message)
            }
        }
        found = FoundRules(parsing: text)
        self.tables = tables
    }

    /// The rule in the kernel that a found one is.
    func original(_ rule: FoundRule) -> Original? {
        guard let table = Table(rawValue: rule.table) else { return nil }
        let id = TableID(rule.family, table)
        let chain = ChainName(fromKernel: rule.chain)
        guard let rules = tables[id]?[chain]?.rules, rules.indices.contains(rule.number - 1) else { return nil }
        return Original(id, chain, rules[rule.number - 1].content)
    }
}
