// SPDX-License-Identifier: GPL-2.0-or-later
import API
import NIOCore
import NIOHTTP1
import NIOPosix
import Rules

/// Asks the daemon over one of its sockets: HTTP/1.1, one request a connection.
struct DaemonClient {
    /// The largest of the answers is the status of many thousand services; more than this is no answer of the daemon's.
    private static let bodyLimit = 256 << 20

    private enum Peer {
        case socket(DaemonSocket)
        case director(DirectorURL)
    }

    private let peer: Peer
    /// The socket's path, or the director's URL.
    private let path: String

    /// A client of the daemon at the path of `--socket`.
    init(_ socket: DaemonSocket, at path: String) {
        peer = .socket(socket)
        self.path = socket.path(path)
    }

    /// A client of the daemon on another machine, or on this one over TCP.
    init(_ director: DirectorURL) {
        peer = .director(director)
        path = director.description
    }

    private var host: String { if case .director(let director) = peer { director.authority } else { "localhost" } }

    /// What the daemon said.
    struct Response {
        var status: Int
        var body: [UInt8]

        /// The body with one line feed at its end.
        var line: [UInt8] { body.last == UInt8(ascii: "\n") ? body : body + [UInt8(ascii: "\n")] }
    }

    private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    /// Sends a request and waits for the whole answer.
    ///
    /// - Throws: a failure with status 4 where no daemon is, 1 where it does not answer in time or not as it should.
    func send(_ method: HTTPMethod, _ target: String, timeout: Duration = .seconds(10)) async throws(Failure) -> Response {
        try await within(timeout) {
            var answer = Response(status: 0, body: [])
            try await exchange(method, target) { part in
                switch part {
                case .head(let head): answer.status = Int(head.status.code)
                case .body(let bytes):
                    answer.body.append(contentsOf: bytes.readableBytesView)
                    guard answer.body.count <= DaemonClient.bodyLimit else { throw Failure("the answer from \(path) is too long") }
                case .end: break
                }
            }
            return answer
        }
    }

    /// Sends a `GET` and hands over each line of the answer, without its line feed, as it arrives.
    ///
    /// - Throws: as `send` does; a failure with status 4 where the daemon goes away in the middle.
    func follow(_ target: String, _ receive: ([UInt8]) throws -> Void) async throws(Failure) {
        do {
            var status = 0
            var pending: [UInt8] = []
            try await exchange(.GET, target) { part in
                switch part {
                case .head(let head): status = Int(head.status.code)
                case .body(let bytes):
                    pending.append(contentsOf: bytes.readableBytesView)
                    guard status == 200 else { return }
                    var lines = pending.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                    pending = lines.popLast().map(Array.init) ?? []
                    for line in lines where !line.isEmpty { try receive(Array(line)) }
                case .end:
                    if status == 200, !pending.isEmpty { try receive(pending) }
                }
            }
            try DaemonClient.check(Response(status: status, body: pending))
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.notRunning, "the connection to \(path) broke: \(error)")
        }
    }

    /// - Throws: what the daemon says against the request, unless it did as it was asked.
    static func check(_ answer: Response) throws(Failure) {
        guard answer.status != 200 else { return }
        guard let problem = try? JSON.decode(Problem.self, from: JSON.printableStrings(answer.body)) else {
            throw Failure("the daemon answers with HTTP status \(answer.status)")
        }
        var lines = ["fwmarkctl: \(problem.title): \(problem.detail)"]
        lines += (problem.errors ?? []).map(\.description)
        throw Failure(.failure, lines: lines)
    }

    /// The message in the answer, for people: its strings are printable.
    static func decode<Message: Decodable>(_ type: Message.Type, _ answer: Response) throws(Failure) -> Message {
        do {
            return try JSON.decode(type, from: JSON.printableStrings(answer.body))
        } catch {
            throw Failure("the daemon's answer cannot be read; is it of another version than fwmarkctl \(version)? (\(error))")
        }
    }

    // MARK: - One exchange

    private func exchange(_ method: HTTPMethod, _ target: String, _ receive: (HTTPClientResponsePart) throws -> Void) async throws {
        let connection = try await connect()
        var isWhole = false
        try await connection.executeThenClose { inbound, outbound in
            let headers: HTTPHeaders = ["Host": host, "Connection": "close", "Content-Length": "0"]
            let head = HTTPRequestHead(version: .http1_1, method: method, uri: target, headers: headers)
            // In one write: after the head alone the request is whole already, and the daemon may answer and close before a second
            // one. Whatever else keeps the daemon from reading it, the end of its answer tells.
            try? await outbound.write(contentsOf: [.head(head), .end(nil)])
            for try await part in inbound {
                try receive(part)
                if case .end = part {
                    isWhole = true
                    break
                }
            }
        }
        guard isWhole else { throw Failure(.notRunning, "fwmarkd closed \(path) in the middle of its answer") }
    }

    private func connect() async throws -> Connection {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        @Sendable func wrap(_ channel: any Channel) -> EventLoopFuture<Connection> {
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                return try Connection(wrappingChannelSynchronously: channel)
            }
        }
        switch peer {
        case .director(let director):
            do {
                return try await bootstrap.connect(host: director.host, port: director.port, channelInitializer: wrap)
            } catch {
                throw director.failure(connecting: error)
            }
        case .socket(let socket):
            do {
                return try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: wrap)
            } catch let error as IOError {
                throw socket.failure(connectingTo: path, errno: error.errnoCode)
            } catch SocketAddressError.unixDomainSocketPathTooLong {
                throw Failure("\(path) is too long for a socket's path")
            }
        }
    }

    private func within<Result: Sendable>(
        _ timeout: Duration, _ body: @escaping @Sendable () async throws -> Result
    ) async throws(Failure) -> Result {
        do {
            return try await withThrowingTaskGroup(of: Result.self) { group in
                group.addTask { try await body() }
                group.addTask {
                    try await Task.sleep(for: timeout)
                    throw Failure("fwmarkd does not answer on \(path) within \(timeout.components.seconds) s")
                }
                defer { group.cancelAll() }
                guard let result = try await group.next() else { throw CancellationError() }
                return result
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.notRunning, "the connection to \(path) broke: \(error)")
        }
    }
}
