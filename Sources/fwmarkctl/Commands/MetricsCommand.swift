// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import Doctor
import NIOHTTP1

struct MetricsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Print the daemon's metrics, or with --doctor what doctor finds, as Prometheus text.",
        discussion: """
            With --doctor the daemon is not asked. /usr/share/fwmarkd/monitoring has a script and timers that write both for \
            node_exporter's textfile collector: whole files or none, and without process_*, which node_exporter has itself.

            Exit status: 0 printed, 1 an error, 4 the daemon is not running.

            Example:
              fwmarkctl metrics --doctor
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var servers: FTPServerOption
    @Flag(help: "Examine the machine as doctor does and print fwmarkd_doctor_problems and fwmarkd_doctor_warnings.")
    var doctor = false

    func validate() throws {
        if !servers.paths.isEmpty, !doctor { throw ValidationError("--vsftpd-conf is for --doctor.") }
    }

    func run() async throws {
        if doctor {
            try StandardOutput.write(MetricsCommand.text(try servers.examine(options)))
            return
        }
        let answer = try await DaemonClient(.reading, at: options.socket).send(.GET, Endpoint.metrics)
        try DaemonClient.check(answer)
        try StandardOutput.write(answer.body)
    }

    /// The findings as Prometheus text, each check with its count, 0 included.
    static func text(_ examination: Examination) -> String {
        var lines: [String] = []
        func family(_ name: String, _ help: String, _ value: (String) -> Int) {
            lines.append("# HELP \(name) \(help)")
            lines.append("# TYPE \(name) gauge")
            lines += examination.checks.map { "\(name){check=\"\($0)\"} \(value($0))" }
        }
        family("fwmarkd_doctor_problems", "Findings that keep a service from working, by check.") {
            examination.count($0, .problem)
        }
        family("fwmarkd_doctor_warnings", "Findings that may be intended, by check.") { examination.count($0, .warning) }
        family("fwmarkd_doctor_not_run", "Whether the check could not run, or did not finish.") { name in
            examination.notRun.contains { $0.check == name } ? 1 : 0
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
