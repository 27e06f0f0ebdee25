// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import ConfigurationFile
import Planner
import Rules

struct RenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render",
        abstract: "Print the desired state in other tools' words.",
        discussion: """
            Touches neither the kernel nor the daemon. Formats:

              iptables-save  text for iptables-legacy-restore --noflush; where the file has both families, \
            a section for each: choose one with --family before you pipe it
              commands       a shell script of iptables-legacy and ip6tables-legacy commands
              ipvsadm        virtual services on the marks, for ipvsadm -R
              keepalived     the same as sections of keepalived.conf
              vsftpd         the lines that vsftpd.conf on the real servers needs
              proftpd        the same for proftpd.conf
              pure-ftpd      the same for pure-ftpd.conf

            What the format cannot express is reported on standard error.

            Exit status: 0 rendered, 1 an error.

            Example:
              fwmarkctl render --family ipv4 | iptables-legacy-restore --noflush --test
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case iptablesSave = "iptables-save"
        case commands, ipvsadm, keepalived, vsftpd, proftpd
        case pureFTPd = "pure-ftpd"

        /// The FTP server that the configuration is for.
        var server: FTPServer? {
            switch self {
            case .vsftpd: .vsftpd
            case .proftpd: .proftpd
            case .pureFTPd: .pureFTPd
            case .iptablesSave, .commands, .ipvsadm, .keepalived: nil
            }
        }
    }

    @OptionGroup var options: GlobalOptions

    @Option(help: "The tool to write for.")
    var format = Format.iptablesSave

    @Option(help: "Only this family; default: both.")
    var family: Family?

    @Option(help: ArgumentHelp("Only this service (not with iptables-save and commands).", valueName: "name"))
    var service: String?

    func validate() throws {
        if service != nil, format == .iptablesSave || format == .commands {
            throw ValidationError("--service does not go with the format \(format.rawValue)")
        }
        if family != nil, format.server != nil { throw ValidationError("--family does not go with the format \(format.rawValue)") }
    }

    func run() throws {
        let configuration = try options.load().configuration
        let families = family.map { [$0] } ?? Family.allCases
        switch format {
        case .iptablesSave:
            try StandardOutput.write(IptablesSave.render(Planner.plan(for: configuration).ruleset, families))
        case .commands:
            try StandardOutput.write(
                IptablesCommands.render(
                    Planner.plan(for: configuration).ruleset, families, hookPosition: configuration.daemon.hookPosition))
        case .ipvsadm, .keepalived:
            let services = RenderedService.all(of: configuration).filter {
                families.contains($0.family) && (service.map($0.names.contains) ?? true)
            }
            try checkFound(services.isEmpty, "services")
            try StandardOutput.write(format == .ipvsadm ? Ipvsadm.render(services) : Keepalived.render(services))
            StandardError.write(
                services.flatMap { $0.notes(format == .ipvsadm ? Ipvsadm.realServer("ADDRESS", $0) : nil) }.map {
                    "fwmarkctl: \($0)"
                })
        case .vsftpd, .proftpd, .pureFTPd:
            if let server = format.server { try render(configuration.ftp, for: server) }
        }
    }

    private func render(_ ftp: [FTPService], for server: FTPServer) throws {
        let services = ftp.filter { service == nil || $0.name == service }
        try checkFound(services.isEmpty, "FTP services")
        try StandardOutput.write(services.map(server.render).joined(separator: "\n"))
        StandardError.write(services.flatMap(server.notes).map { "fwmarkctl: \($0)" })
        if services.count > 1 {
            StandardError.note("these are \(services.count) FTP services; choose one with --service for each server's file")
        }
    }

    private func checkFound(_ isEmpty: Bool, _ what: String) throws {
        guard isEmpty else { return }
        if let service { throw Failure("\(options.config) has no service \"\(service)\" for the format \(format.rawValue)") }
        StandardError.note("\(options.config) has no \(what) to render")
    }
}
