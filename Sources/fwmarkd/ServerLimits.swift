// SPDX-License-Identifier: GPL-2.0-or-later
import NIOCore

/// What clients may take from the daemon, so that however many there are it goes on keeping the rules.
struct ServerLimits: Sendable {
    /// Connections at once on one socket; further ones wait in the kernel's queue.
    var connections = 256
    /// How long a request may take to arrive whole.
    var requestTime = TimeAmount.seconds(10)
    /// How long a client may read nothing of what is sent to it.
    var stalledTime = TimeAmount.seconds(10)
    /// No request of ours needs more than this of headers, in bytes.
    var headerSize = 16 << 10
    /// Memory for bodies that were not read yet, in bytes, on all sockets together but the control socket.
    var unreadBytes = 16 << 20

    /// How many open files the daemon needs beside its clients' connections.
    static let ownFiles = 64

    /// Limits for a process that may have that many files open; nil: too few for a daemon.
    init?(openFiles: Int) {
        guard openFiles >= ServerLimits.ownFiles + 32 else { return nil }
        // Three servers.
        connections = min(connections, (openFiles - ServerLimits.ownFiles) / 3)
    }
}
