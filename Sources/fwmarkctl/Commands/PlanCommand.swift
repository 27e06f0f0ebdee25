// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import Netfilter
import Planner
import Reconciler

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show how the kernel's rules differ from the file.",
        discussion: """
            Rules that the kernel lacks are shown with +, rules that the file does not want with -, \
            in the syntax of iptables. Only rules and chains of fwmarkd's are meant. Nothing is changed, no lock is taken.

            Exit status: 0 no difference, 2 a difference, 1 an error.

            Example:
              fwmarkctl plan --config ./fwmarkd.yaml
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        let start = ContinuousClock.now
        let result = try await ProgressLine.during("comparing \(options.config) with the kernel") {
            let loaded = try options.load()
            do {
                let outcome = try Reconciler(loaded.configuration.daemon).difference(
                    to: Planner.plan(for: loaded.configuration).ruleset)
                return Reconciliation(outcome, took: ContinuousClock.now - start, sha256: loaded.sha256)
            } catch let error as NetfilterError {
                throw Failure(error.message)
            }
        }
        try print(result)
        if result.changeCount > 0 { throw Failure(.differs) }
    }

    private func print(_ result: Reconciliation) throws {
        if output.json {
            try StandardOutput.write(JSON.encodePretty(result) + [UInt8(ascii: "\n")])
            return
        }
        let report = ChangeReport(result, isApplied: false)
        let summary = report.count == 0 ? "no difference: the kernel has what \(options.config) asks for" : report.summary
        try StandardOutput.write((report.lines(options.style) + [summary, ""]).joined(separator: "\n"))
        StandardError.write(result.warnings.map { "fwmarkctl: warning: \($0)" })
    }
}
