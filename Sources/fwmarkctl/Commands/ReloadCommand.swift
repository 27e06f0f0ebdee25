// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser

struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have the daemon read the file again and apply it.",
        discussion: """
            Waits until it is done and prints what changed. A file with errors changes nothing: every error is printed.

            Exit status: 0 done, 1 errors, 4 the daemon is not running.

            Example:
              fwmarkctl check && fwmarkctl reload
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await DaemonClient.act(
            Endpoint.reload, options, asJSON: output.json, nothing: "read; nothing to change: the kernel has what the file wants")
    }
}
