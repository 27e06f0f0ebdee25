// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import Glibc

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

            Example: fwmarkctl check && { fwmarkctl plan || [ $? -eq 2 ]; } && fwmarkctl reload
            """,
        version: "fwmarkctl \(version)",
        groupedSubcommands: [
            CommandGroup(name: "File", subcommands: [Check.self, Render.self, Explain.self]),
            CommandGroup(name: "Kernel", subcommands: [Plan.self, Apply.self, Remove.self, Import.self, DoctorCommand.self]),
            CommandGroup(
                name: "Daemon", subcommands: [ShowStatus.self, Reload.self, Reconcile.self, Events.self, Metrics.self]),
        ]
    )

    static func main() async {
        do {
            var command = try parseAsRoot(GlobalOptions.behindCommand(Array(CommandLine.arguments.dropFirst())))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            StandardError.write(failure.lines)
            Glibc.exit(failure.status.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}
