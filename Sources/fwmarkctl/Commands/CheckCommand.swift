// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import Planner
import Rules

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read the configuration and print every error in it.",
        discussion: """
            Touches neither the kernel nor the daemon. Each error is a line on standard error: \
            file:line:column: path: what is wrong, and what to write where that helps.

            With --with a file is checked together with the rest before it is put in place: it is read as if it were in conf.d, in \
            place of the file of its name there. Where a tool has it under a temporary name, say which one it will have: \
            --with mail.yaml=FILE.

            Exit status: 0 no errors, 1 errors.

            Example:
              fwmarkctl check --config ./fwmarkd.yaml

            With --with, the second for Ansible's validate:
              fwmarkctl check --with /tmp/new.yaml
              fwmarkctl check --with mail.yaml=%s
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    @Option(
        name: .customLong("with"), parsing: .singleValue,
        help: ArgumentHelp("Read this file as if it were in conf.d (several times).", valueName: "[name.yaml=]file"))
    var others: [String] = []

    func run() throws {
        let loaded: LoadedConfiguration
        do {
            loaded = try Configuration.load(path: options.config, with: others.map(AdditionalFile.init(argument:)))
        } catch {
            guard output.json else { throw Failure(.failure, lines: error.lines) }
            let report = Report(
                file: options.config, isRight: false, errors: error.errors, errorCount: error.count)
            try StandardOutput.write(JSON.encodePretty(report) + [UInt8(ascii: "\n")])
            throw Failure(.failure)
        }
        let configuration = loaded.configuration
        let report = Report(
            file: options.config, isRight: true, errors: [], errorCount: 0, warnings: loaded.warnings,
            files: loaded.files.map(\.path), sha256: loaded.sha256, ftp: configuration.ftp.count,
            services: configuration.services.count, masquerades: configuration.masquerades.count,
            rules: Planner.plan(for: configuration).ruleset.ruleCount)
        if !output.json { StandardError.write(loaded.warnings.map { "fwmarkctl: \($0)" }) }
        try StandardOutput.write(output.json ? JSON.encodePretty(report) + [UInt8(ascii: "\n")] : Array(report.text.utf8))
    }

    /// What `check` has to say, as JSON and in words.
    private struct Report: Encodable {
        var file: String
        var isRight: Bool
        var errors: [FileError]
        /// How many there are; `errors` has the first thousand.
        var errorCount: Int
        var warnings: [String]?
        var files: [String]?
        var sha256: String?
        var ftp: Int?
        var services: Int?
        var masquerades: Int?
        var rules: Int?

        var text: String {
            let parts = [(ftp, "FTP service"), (services, "service"), (masquerades, "masquerade")].map {
                counted($0 ?? 0, $1)
            }
            let further = (files?.count ?? 1) - 1
            return "\(file): OK (\(counted(rules ?? 0, "rule")))"
                + (further > 0 ? ", with \(counted(further, "file")) of conf.d" : "")
                + ": \(parts.joined(separator: ", ")); sha256 \(sha256 ?? "")\n"
        }
    }
}
