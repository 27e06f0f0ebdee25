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
            let peer: ucred = try? await options.unsafeGetSocketOption(level: .socket, name: .init(rawValue: SO_PEERCRED)).get(),
            // Over TCP there is no peer that is known.
            peer.pid != 0 || peer.uid != .max
        else { return nil }
        return peer.uid
    }
}
