// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser

struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Have the daemon compare the kernel with the file now, and repair.",
        discussion: """
            The file is not read again; `fwmarkctl reload` does that. Prints what was changed.

            Exit status: 0 done, 1 an error, 4 the daemon is not running.

            Example:
              fwmarkctl reconcile
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await DaemonClient.act(
            Endpoint.reconcile, options, asJSON: output.json, nothing: "nothing to do: the kernel has what the daemon wants")
    }
}
