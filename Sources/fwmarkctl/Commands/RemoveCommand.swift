// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import Netfilter
import Reconciler
import Rules

struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove all rules and chains of fwmarkd from the kernel.",
        discussion: """
            What is not fwmarkd's stays as it is. A daemon that is running would put everything back, so the command refuses to \
            begin while one answers; stop it first. With --force it goes on all the same: the rules are gone until the daemon \
            sees it, or for good where the file says on-drift: report.

            Needs no configuration file; lock-timeout is taken from it if it can be read.

            Exit status: 0 nothing of fwmarkd's is left, 1 an error, or a daemon is running.

            Example:
              systemctl stop fwmarkd && fwmarkctl remove
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    @Flag(help: "Remove even if the daemon is running.")
    var force = false

    func run() async throws {
        if let daemon = await RunningDaemon.find(options.socket) {
            let warning = "fwmarkd is running (process \(daemon.pid)) and would put the rules back"
            guard force else { throw Failure("\(warning); stop it first: systemctl stop fwmarkd (or use --force)") }
            StandardError.note("warning: \(warning)")
        }
        let start = ContinuousClock.now
        let result = try await ProgressLine.during("removing") {
            // The file may be what is broken, and is not needed.
            let settings = (try? options.load())?.configuration.daemon ?? DaemonSettings()
            do {
                let outcome = try await Reconciler(settings).reconcile(to: Ruleset())
                return Reconciliation(outcome, took: ContinuousClock.now - start, sha256: "")
            } catch let error as ReconcileError {
                throw Failure("\(error)")
            }
        }
        try result.print(options, asJSON: output.json, nothing: "nothing to do: the kernel has no rules of fwmarkd")
    }
}
