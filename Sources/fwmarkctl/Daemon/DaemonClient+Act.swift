// SPDX-License-Identifier: GPL-2.0-or-later
import API
import NIOHTTP1

extension DaemonClient {
    /// How long an action may take: the daemon may have to wait for the xtables lock several times over.
    private static let actionTimeout = Duration.seconds(300)

    /// Has the daemon do something, waits, and prints what came of it: as JSON as the daemon gave it, or in words.
    static func act(_ target: String, _ options: GlobalOptions, asJSON: Bool, nothing: String) async throws {
        let answer = try await ProgressLine.during("waiting for fwmarkd") {
            try await DaemonClient(.acting, at: options.socket).send(.POST, target, timeout: actionTimeout)
        }
        if asJSON {
            try StandardOutput.write(answer.line)
            if answer.status != 200 { throw Failure(.failure) }
            return
        }
        try DaemonClient.check(answer)
        try DaemonClient.decode(Reconciliation.self, answer).print(options, asJSON: false, nothing: nothing)
    }
}
