// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import Reconciler

struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Apply the file once, without the daemon.",
        discussion: """
            Works under the xtables lock like the daemon, and so beside it. A daemon that works from another state of the file \
            will undo what was applied; `fwmarkctl reload` is the command then.

            Exit status: 0 the kernel has what the file wants, 1 an error.

            Example:
              fwmarkctl apply --config ./fwmarkd.yaml
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        let (result, loaded) = try await Reconciliation.of(
            options, "bringing the kernel to \(options.config)", limit: Reconciliation.changeLimit, hasDigest: output.json
        ) { try await $0.reconcile(to: $1) }
        try result.print(options, asJSON: output.json, nothing: "nothing to do: the kernel has what \(options.config) asks for")
        if let daemon = await RunningDaemon.find(options.socket), daemon.configuration.sha256 != loaded.sha256 {
            StandardError.note(
                "warning: fwmarkd (process \(daemon.pid)) works from another state of the file and will undo this; "
                    + "have it read the file: fwmarkctl reload")
        }
    }
}
