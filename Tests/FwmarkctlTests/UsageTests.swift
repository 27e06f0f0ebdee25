// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@testable import fwmarkctl

@Suite("How fwmarkctl is called")
struct UsageTests {
    private let program: Program

    init() throws { program = Program(try Scratch()) }

    @Test(
        "Wrong usage exits 64, says what is wrong on standard error, and prints nothing",
        arguments: [
            ("check --frobnicate", "Unknown option '--frobnicate'"),
            ("check --config", "Missing value for '--config"),
            ("render --format nft", "The value 'nft' is invalid for '--format"),
            ("render --family ipx", "The value 'ipx' is invalid for '--family"),
            ("render --service web", "--service does not go with the format iptables-save"),
            ("render --format vsftpd --family ipv4", "--family does not go with the format vsftpd"),
            ("remove --watch", "Unknown option '--watch'"),
            ("metrics --json", "Unknown option '--json'"),
            ("explain --protocol tcp --source 192.0.2.1:1", "Missing expected argument '--destination"),
            ("explain --protocol tcp --source 192.0.2.1 --destination 192.0.2.2:1", "the port is missing"),
            ("explain --protocol icmp --source 192.0.2.1:1 --destination 192.0.2.2", "--source: the protocol has no ports"),
            ("explain --protocol tcp --source 192.0.2.1:1 --destination [2001:db8::1]:1", "is not of the family of the source"),
            ("explain --protocol tcp --source 192.0.2.256:1 --destination 192.0.2.2:1", "--source: invalid value"),
            ("explain --protocol tcp --source 2001:db8::1:65536 --destination [2001:db8::1]:1", "--source: invalid value"),
            // No command, and one that does not exist: one sentence with what to type, and nothing else.
            ("", "fwmarkctl: the command is missing: fwmarkctl --help lists all, fwmarkctl status shows what the daemon does\n"),
            (
                "--config f",
                "fwmarkctl: the command is missing: fwmarkctl --help lists all, fwmarkctl status shows what the daemon does\n"
            ),
            ("relod", "fwmarkctl: there is no command relod: did you mean fwmarkctl reload?\n"),
            ("--config f chekc", "fwmarkctl: there is no command chekc: did you mean fwmarkctl check?\n"),
            ("stats --watch", "fwmarkctl: there is no command stats: did you mean fwmarkctl status?\n"),
            ("frobnicate", "fwmarkctl: there is no command frobnicate: fwmarkctl --help lists all\n"),
            ("\u{1b}[2J", "fwmarkctl: there is no command \\u{1B}[2J: fwmarkctl --help lists all\n"),
        ])
    func wrongUsage(_ line: String, _ message: String) throws {
        let end = try program.run(line)
        #expect(end.status == 64)
        #expect(end.output == "")
        #expect(message.hasSuffix("\n") ? end.errors == message : end.errors.contains(message), "\(end.errors)")
    }

    @Test("Options that need no command are not errors", arguments: ["--help", "-h", "--version", "help", "help check"])
    func alone(_ line: String) throws {
        let end = try program.run(line)
        #expect(end.status == 0 && end.errors == "" && end.output != "")
    }

    @Test(
        "Every command explains itself, with its exit statuses and an example",
        arguments: [
            "check", "render", "explain", "plan", "apply", "remove", "import", "doctor", "status", "reload", "reconcile", "events",
            "metrics",
        ])
    func help(_ command: String) throws {
        let end = try program.run([command, "--help"])
        #expect(end.status == 0)
        #expect(end.errors == "")
        let text = end.output.split(separator: "\n").joined(separator: " ")
        #expect(text.contains("Exit status: 0"))
        #expect(text.contains("Example: ") && text.contains("fwmarkctl \(command)"))
        for option in ["--config", "--socket", "--no-color"] { #expect(text.contains(option)) }
    }

    @Test(
        "Options that every command takes may be given before it",
        arguments: [
            ("--config f check", "check --config f"), ("--config=f --no-color plan --json", "plan --config=f --no-color --json"),
            ("--socket s --json status --watch", "status --socket s --json --watch"), ("check --config f", "check --config f"),
            ("--help", "--help"), ("--config", "--config"), ("--version check", "--version check"), ("", ""),
        ])
    func order(_ typed: String, _ parsed: String) {
        let words = typed.split(separator: " ").map(String.init)
        #expect(GlobalOptions.behindCommand(words).joined(separator: " ") == parsed)
    }

    @Test("The version is printed")
    func version() throws {
        #expect(try program.run("--version").output.hasPrefix("fwmarkctl 0."))
    }
}
