// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import Glibc
import Rules
import SystemCalls

/// `fwmarkctl`: what people and scripts type.
@main
struct Fwmarkctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fwmarkctl",
        abstract: "Look at and control the netfilter rules that fwmarkd keeps for IPVS services.",
        discussion: """
            Options that every command takes may be given before the command or after it.

            Exit status: 0 all well, 1 an error, 2 a difference was found (plan), 3 not in sync (status), \
            4 the daemon is not running, 64 wrong usage.

            Example:
              fwmarkctl check && { fwmarkctl plan || [ $? -eq 2 ]; } &&
                fwmarkctl reload
            """,
        version: "fwmarkctl \(version)",
        groupedSubcommands: [
            CommandGroup(name: "File", subcommands: [CheckCommand.self, RenderCommand.self, ExplainCommand.self]),
            CommandGroup(
                name: "Kernel",
                subcommands: [PlanCommand.self, ApplyCommand.self, RemoveCommand.self, ImportCommand.self, DoctorCommand.self]),
            CommandGroup(
                name: "Daemon",
                subcommands: [
                    StatusCommand.self, ReloadCommand.self, ReconcileCommand.self, EventsCommand.self, MetricsCommand.self,
                ]),
        ]
    )

    static func main() async {
        Memory.takeGenerously()
        let words = GlobalOptions.behindCommand(Array(CommandLine.arguments.dropFirst()))
        if let mistake = mistake(in: words) {
            StandardError.write(["fwmarkctl: \(mistake)"])
            Glibc.exit(EX_USAGE)
        }
        do {
            var command = try parseAsRoot(words)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            // Everything is written: nothing is taken apart that ends with the process.
            _exit(EXIT_SUCCESS)
        } catch let failure as Failure {
            StandardError.write(failure.lines)
            Glibc.exit(failure.status.rawValue)
        } catch {
            exit(withError: error)
        }
    }

    /// What is wrong with the command itself, in one sentence with what to type; nil if there is such a command, or an option that
    /// stands alone, such as `--help`.
    static func mistake(in words: [String]) -> String? {
        let options = ["--config", "--socket", "--no-color", "--json"]
        guard let first = words.first, !options.contains(where: { first == $0 || first.hasPrefix($0 + "=") }) else {
            return "the command is missing: fwmarkctl --help lists all, fwmarkctl status shows what the daemon does"
        }
        let commands = configuration.groupedSubcommands.flatMap(\.subcommands).map { $0._commandName } + ["help"]
        guard !first.hasPrefix("-"), !commands.contains(first) else { return nil }
        let word = printable(String(first.prefix(64)))
        guard let meant = nearest(first, among: commands) else {
            return "there is no command \(word): fwmarkctl --help lists all"
        }
        return "there is no command \(word): did you mean fwmarkctl \(meant)?"
    }
}
