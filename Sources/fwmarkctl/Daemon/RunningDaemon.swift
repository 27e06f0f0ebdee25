// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Glibc
import NIOHTTP1

/// The daemon at the socket, for commands that also work without one.
enum RunningDaemon {
    /// Its status; nil where none answers.
    static func find(_ socket: String) async -> Status? {
        // Without a socket no client is made, with the threads that it needs.
        guard access(DaemonSocket.reading.path(socket), F_OK) == 0 else { return nil }
        let answer = try? await DaemonClient(.reading, at: socket).send(.GET, Endpoint.status, timeout: .seconds(3))
        guard let answer, answer.status == 200 else { return nil }
        return try? JSON.decode(Status.self, from: JSON.printableStrings(answer.body))
    }
}
