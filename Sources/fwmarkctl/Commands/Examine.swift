import API
import ArgumentParser
import ConfigurationFile
import Doctor

struct Examine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for everything outside fwmarkd's rules that can keep a service from working.",
        discussion: """
            Looks at the kernel's x_tables and nf_tables, IPVS, routing and settings, and with --vsftpd-conf at the FTP servers' \
            file. Says for each finding what was seen, why it matters and what to type. Changes nothing.

            Exit status: 0 no problem (there may be warnings), 1 problems.

            Example: fwmarkctl doctor --vsftpd-conf /etc/vsftpd.conf
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    @Option(help: ArgumentHelp("The FTP servers' vsftpd.conf, or a copy of it.", valueName: "path"))
    var vsftpdConf: String?

    func run() async throws {
        let examination = try await Progress.during("looking at the machine") {
            let loaded = try options.load()
            do {
                return Examination(of: try Facts.gather(loaded.configuration, vsftpdPath: vsftpdConf))
            } catch let error as Facts.UnreadableFile {
                throw Failure(error.description)
            }
        }
        if output.json {
            try StandardOutput.write(JSON.encodePretty(examination) + [UInt8(ascii: "\n")])
        } else {
            try StandardOutput.write(text(examination, options.style))
        }
        if examination.hasProblems { throw Failure(.failure) }
    }

    private func text(_ examination: Examination, _ style: Style) -> String {
        var lines: [String] = []
        for finding in examination.findings {
            let severity = finding.severity == .problem ? style.red("problem") : style.yellow("warning")
            lines.append("\(severity)  \(style.bold(finding.check)): \(finding.seen)")
            lines.append("         \(finding.matters)")
            lines += finding.advice.map { "           \($0)" }
            lines.append("")
        }
        for notRun in examination.notRun {
            lines.append("\(style.faint("not run"))  \(style.bold(notRun.check)): \(notRun.reason)")
        }
        if !examination.notRun.isEmpty { lines.append("") }
        let problems = examination.findings.count { $0.severity == .problem }
        let warnings = examination.findings.count - problems
        lines.append(
            "\(HumanText.count(examination.checks.count, "check")): \(HumanText.count(problems, "problem")), "
                + "\(HumanText.count(warnings, "warning"))"
                + (examination.notRun.isEmpty ? "" : ", \(examination.notRun.count) could not run or not to the end"))
        return lines.joined(separator: "\n") + "\n"
    }
}
