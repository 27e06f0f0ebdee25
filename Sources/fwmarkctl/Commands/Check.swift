import API
import ArgumentParser
import ConfigurationFile
import Planner
import Rules

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read the configuration and print every fault of it.",
        discussion: """
            Touches neither the kernel nor the daemon. Each fault is a line on standard error: \
            file:line:column: path: what is wrong; expected what.

            Exit status: 0 no fault, 1 faults.

            Example: fwmarkctl check --config ./fwmarkd.yaml
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    func run() throws {
        let loaded: LoadedConfiguration
        do {
            loaded = try Configuration.load(path: options.config)
        } catch {
            guard output.json else { throw Failure(.failure, lines: error.faults.map(\.description)) }
            let report = Report(file: options.config, isRight: false, faults: error.faults.map(FaultMessage.init))
            try StandardOutput.write(JSON.encodePretty(report) + [UInt8(ascii: "\n")])
            throw Failure(.failure)
        }
        let configuration = loaded.configuration
        let report = Report(
            file: options.config, isRight: true, faults: [], files: loaded.files.map(\.path), sha256: loaded.sha256,
            ftp: configuration.ftp.count, services: configuration.services.count, masquerades: configuration.masquerades.count,
            rules: Planner.ruleset(for: configuration).ruleCount)
        try StandardOutput.write(output.json ? JSON.encodePretty(report) + [UInt8(ascii: "\n")] : Array(report.text.utf8))
    }

    /// What `check` has to say, as JSON and in words.
    private struct Report: Encodable {
        var file: String
        var isRight: Bool
        var faults: [FaultMessage]
        var files: [String]?
        var sha256: String?
        var ftp: Int?
        var services: Int?
        var masquerades: Int?
        var rules: Int?

        var text: String {
            let parts = [(ftp, "FTP service"), (services, "service"), (masquerades, "masquerade")].map {
                HumanText.count($0 ?? 0, $1)
            }
            let further = (files?.count ?? 1) - 1
            return "\(file): right" + (further > 0 ? ", with \(HumanText.count(further, "file")) of conf.d" : "")
                + "; \(parts.joined(separator: ", ")) in \(HumanText.count(rules ?? 0, "rule")); sha256 \(sha256 ?? "")\n"
        }
    }
}

extension FaultMessage {
    /// A fault as the messages tell it.
    init(_ fault: Fault) {
        self.init(
            file: fault.position.file, line: fault.position.line, column: fault.position.column, path: fault.path,
            problem: fault.problem, expected: fault.expected)
    }
}
