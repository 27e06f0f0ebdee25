// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Hummingbird
import Logging
import NIOCore

/// A request's context: who asks, where the socket tells.
struct ClientContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The client's connection.
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// The user on the other side of a Unix socket (SO_PEERCRED, unix(7)); nil over TCP.
    func user() async -> UInt32? {
        guard let options = channel as? any SocketOptionProvider,
            let peer: PeerCredentials = try? await options.unsafeGetSocketOption(
                level: .socket, name: .init(rawValue: PeerCredentials.option)
            ).get(),
            // Over TCP there is no peer that is known.
            peer.process != 0 || peer.user != .max
        else { return nil }
        return peer.user
    }
}

/// `struct ucred` of unix(7), which the module of the C library leaves out.
private struct PeerCredentials {
    /// SO_PEERCRED of `<asm-generic/socket.h>`.
    static let option = SO_PEERCRED

    var process: Int32
    var user: UInt32
    var group: UInt32
}
