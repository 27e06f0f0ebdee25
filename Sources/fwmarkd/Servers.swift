// SPDX-License-Identifier: GPL-2.0-or-later
import API
import struct ConfigurationFile.ListenAddress
import Glibc
import Hummingbird
import HummingbirdCore
import Keeper
import Logging
import NIOCore
import NIOPosix
import Rules
import ServiceLifecycle
import SystemCalls

/// The daemon's servers: both Unix sockets, and TCP where `http-listen` asks for it. None of them is needed for the rules to be kept:
/// one whose address is taken or not there yet is tried again in growing pauses, and reported.
struct Servers: ServiceLifecycle.Service {
    let responses: Responses
    /// The control socket's, counted apart so that root is always heard.
    let controlResponses: Responses
    let runtime: RuntimeDirectory
    /// Where to listen over TCP; a new value whenever that changes.
    let httpListen: AsyncStream<ListenAddress?>
    let limits: ServerLimits
    let log: Logger
    /// Called once for each Unix socket, when it was tried to listen on it for the first time.
    let whenTried: @Sendable () -> Void

    /// How often is looked whether the sockets are still there.
    private static let lookInterval = Duration.seconds(1)

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await serve("status", Endpoint.statusSocket, mode: 0o666, Routes(responses: responses, door: .reading))
            }
            group.addTask {
                // Other clients hold up their own threads, and not root's.
                let thread = OwnThread()
                let routes = Routes(responses: controlResponses, door: .acting)
                await thread.run { await serve("control", Endpoint.controlSocket, mode: 0o600, routes, thread.group) }
            }
            group.addTask { await serveHTTP() }
        }
    }

    // MARK: - Unix sockets

    private func serve(
        _ name: String, _ socket: String, mode: mode_t, _ routes: Routes,
        _ loops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async {
        let path = runtime.socket(socket)
        let server = ListeningServer(name: name, address: path, board: responses.board, log: log)
        var hasTried = false
        let tried = { @Sendable in whenTried() }
        await server.run { listening in
            defer {
                if !hasTried { tried() }
                hasTried = true
            }
            try runtime.renew()
            unlink(path)
            try await withThrowingTaskGroup(of: Void.self) { group in
                let (made, continuation) = AsyncStream.makeStream(of: Void.self)
                let application = application(routes, .unixDomainSocket(path: path), loops) {
                    // Made under umask 077: until here it was the superuser's alone.
                    chmod(path, mode)
                    listening()
                    tried()
                    continuation.finish()
                }
                group.addTask { try await application.run() }
                group.addTask {
                    for await _ in made {}
                    try await waitForLoss(socket)
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }

    /// Returns when the socket or its directory was deleted or replaced.
    private func waitForLoss(_ socket: String) async throws {
        let identity = FileIdentity(runtime.socket(socket))
        try await cancelWhenGracefulShutdown {
            while !runtime.hasLost(socket, identity) { try await Task.sleep(for: Self.lookInterval) }
        }
        throw SocketLost()
    }

    // MARK: - TCP

    private func serveHTTP() async {
        let addresses = httpListen.cancelOnGracefulShutdown()
        var iterator = addresses.makeAsyncIterator()
        var next = await iterator.next()
        while let current = next {
            guard let address = current else {
                responses.board.removeServer("http")
                next = await iterator.next()
                continue
            }
            // A group for each address: a task that is added to a group after `cancelAll` begins cancelled.
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await serveHTTP(address) }
                repeat { next = await iterator.next() } while next == .some(address)
                group.cancelAll()
            }
        }
    }

    private func serveHTTP(_ address: ListenAddress) async {
        let server = ListeningServer(name: "http", address: text(address), board: responses.board, log: log)
        await server.run { listening in
            let bind = BindAddress.hostname(address.address.description, port: Int(address.port))
            try await application(Routes(responses: responses, door: .network(.own())), bind, whenListening: listening).run()
        }
    }

    private func application(
        _ routes: Routes, _ address: BindAddress, _ loops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        whenListening: @escaping @Sendable () -> Void
    ) -> some ApplicationProtocol {
        var quiet = log
        // Below that it reports connections that were cut off, which is what stopping does.
        quiet.logLevel = .critical
        let limits = limits
        return Application(
            responder: routes,
            server: HTTPServerBuilder { Connections(responder: $0, limits: limits) },
            configuration: .init(
                address: address, serverName: "fwmarkd/\(API.version)",
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
            onServerRunning: { _ in whenListening() },
            eventLoopGroupProvider: .shared(loops),
            logger: quiet)
    }
}

/// The address as `http-listen` writes it.
private func text(_ address: ListenAddress) -> String {
    address.address.family == .ipv6 ? "[\(address.address)]:\(address.port)" : "\(address.address):\(address.port)"
}

/// The socket or its directory was deleted.
struct SocketLost: Error, CustomStringConvertible {
    var description: String { "the socket was deleted and is made again" }
}
