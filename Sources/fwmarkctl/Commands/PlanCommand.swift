// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
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
        let (result, _) = try await Reconciliation.of(
            options, "comparing \(options.config) with the kernel", hasDigest: output.json
        ) { try $0.difference(to: $1) }
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
