// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import Doctor
import Rules

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for everything outside fwmarkd's rules that can keep a service from working.",
        discussion: """
            Looks at the kernel's x_tables and nf_tables, IPVS, routing and settings, and with --vsftpd-conf at FTP servers' files, \
            which may also be ProFTPD's or Pure-FTPd's. Says for each finding what it is, why it matters and what to type. Changes \
            nothing.

            Exit status: 0 no problem (there may be warnings), 1 problems.

            Example:
              fwmarkctl doctor --vsftpd-conf /etc/vsftpd.conf
            """)

    /// How many findings of one check are printed for people.
    private static let findingsOfOneCheck = 10

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption
    @OptionGroup var servers: FTPServerOption

    func run() async throws {
        let examination = try await ProgressLine.during("looking at the machine") { try servers.examine(options) }
        if output.json {
            try StandardOutput.write(JSON.encodePretty(examination) + [UInt8(ascii: "\n")])
        } else {
            try StandardOutput.write(text(examination, options.style))
        }
        if examination.hasProblems { throw Failure(.failure) }
    }

    private func text(_ examination: Examination, _ style: Style) -> String {
        var lines: [String] = []
        var shown: [String: Int] = [:]
        for finding in examination.findings {
            shown[finding.check, default: 0] += 1
            guard shown[finding.check, default: 0] <= DoctorCommand.findingsOfOneCheck else { continue }
            let severity = finding.severity == .problem ? style.red("problem") : style.yellow("warning")
            lines.append("\(severity)  \(style.bold(finding.check)): \(printable(finding.seen))")
            lines.append("         \(printable(finding.matters))")
            lines += finding.advice.map { "           \(printable($0))" }
            lines.append("")
        }
        for check in examination.checks {
            let more = shown[check, default: 0] - DoctorCommand.findingsOfOneCheck
            guard more > 0 else { continue }
            lines += ["\(style.bold(check)): \(counted(more, "more finding")); --json lists all", ""]
        }
        for notRun in examination.notRun {
            lines.append("\(style.faint("not run"))  \(style.bold(notRun.check)): \(printable(notRun.reason))")
        }
        if !examination.notRun.isEmpty { lines.append("") }
        let problems = examination.findings.count { $0.severity == .problem }
        let warnings = examination.findings.count - problems
        lines.append(
            "\(counted(examination.checks.count, "check")): \(counted(problems, "problem")), "
                + "\(counted(warnings, "warning"))"
                + (examination.notRun.isEmpty ? "" : ", \(examination.notRun.count) could not run or not to the end"))
        return lines.joined(separator: "\n") + "\n"
    }
}

/// `--vsftpd-conf`, for commands that examine the machine.
struct FTPServerOption: ParsableArguments {
    @Option(
        name: .customLong("vsftpd-conf"),
        help: ArgumentHelp(
            "An FTP server's configuration file, or a copy of it: vsftpd's, ProFTPD's or Pure-FTPd's. May be repeated.",
            valueName: "path"),
        completion: .file())
    var paths: [String] = []

    /// Examines the machine for the configuration.
    func examine(_ options: GlobalOptions) throws(Failure) -> Examination {
        let loaded = try options.load()
        do throws(Facts.UnreadableServerFile) {
            return Examination(of: try Facts.gather(loaded, ftpServerFiles: paths))
        } catch {
            throw Failure(error.description)
        }
    }
}
