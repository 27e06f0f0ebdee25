import API
import struct ConfigurationFile.ListenAddress
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Rules
import ServiceLifecycle

/// The server on one of the sockets. `mayAct`: whether it takes requests that change something.
func httpServer(
    _ answers: some AnswerSource, mayAct: Bool, _ address: BindAddress, _ log: Logger, whenListening: @escaping @Sendable () -> Void
) -> some Service {
    let router = Router()
    router.add(middleware: Problems())
    addReading(router, answers)
    if mayAct {
        router.post("\(Endpoint.reload)") { _, _ in response(await answers.reload()) }
        router.post("\(Endpoint.reconcile)") { _, _ in response(await answers.reconcile()) }
    } else {
        for path in [Endpoint.reload, Endpoint.reconcile] {
            router.post("\(path)") { _, _ in
                response(
                    Problem(
                        title: "Forbidden", status: 403,
                        detail: "this socket is for reading; \(Endpoint.controlSocket) beside it takes this"))
            }
        }
    }
    return server(router, address, log, whenListening: whenListening)
}

/// The server for metrics over TCP.
func metricsServer(_ answers: some AnswerSource, _ address: ListenAddress, _ log: Logger) -> some Service {
    let router = Router()
    router.add(middleware: Problems())
    addMetrics(router, answers)
    let address = BindAddress.hostname(address.address.description, port: Int(address.port))
    return server(router, address, log) {}
}

/// How long a client may leave a connection unused.
private let idleTimeout = TimeAmount.seconds(30)
/// No request of ours needs more than this of headers.
private let maximumHeaderSize = 16 << 10

private func server(
    _ router: Router<BasicRequestContext>, _ address: BindAddress, _ log: Logger, whenListening: @escaping @Sendable () -> Void
) -> some Service {
    var quiet = log
    // Below that it tells of connections that were cut off, which is what stopping does.
    quiet.logLevel = .critical
    return Application(
        router: router,
        server: .http1(
            configuration: .init(
                additionalChannelHandlers: [OneRequest()],
                idleTimeout: idleTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: maximumHeaderSize, maxHeaderListSize: maximumHeaderSize, maxHeaderFieldCount: 100))),
        configuration: .init(address: address, serverName: "fwmarkd/\(API.version)"),
        onServerRunning: { _ in whenListening() },
        logger: quiet)
}

// MARK: - Routes

private func addReading(_ router: Router<BasicRequestContext>, _ answers: some AnswerSource) {
    router.get("\(Endpoint.status)") { _, _ in response(try answers.status(), "application/json") }
    router.get("\(Endpoint.rules)") { _, _ in response(try answers.rules(), "application/json") }
    router.get("\(Endpoint.events)") { request, _ in
        switch request.uri.queryParameters["follow"] {
        case nil, "false": response(ByteBuffer(bytes: answers.events.flatMap(line)), Lines.mediaType)
        case "true": following(answers)
        case let other?:
            response(Problem(title: "Bad Request", status: 400, detail: "follow is \"\(other)\"; expected true or false"))
        }
    }
    addMetrics(router, answers)
}

private func addMetrics(_ router: Router<BasicRequestContext>, _ answers: some AnswerSource) {
    router.get("\(Endpoint.metrics)") { _, _ in response(try answers.metrics(), PrometheusText.mediaType) }
}

private enum Lines {
    /// Newline-delimited JSON.
    static let mediaType = "application/x-ndjson"
}

private func line(_ event: Event) -> [UInt8] { JSON.encode(event) + [UInt8(ascii: "\n")] }

private func following(_ answers: some AnswerSource) -> Response {
    let (past, following) = answers.follow()
    let body = ResponseBody { writer in
        var last = past.last?.id
        try await writer.write(ByteBuffer(bytes: past.flatMap(line)))
        // Ends when the daemon stops; writing fails when the client has gone.
        for await event in following.cancelOnGracefulShutdown() {
            if let last, event.id > last + 1 {
                let gap = event.id - last - 1
                try await writer.write(
                    ByteBuffer(
                        bytes: line(
                            Event(id: event.id - 1, time: event.time, kind: .missed, message: "\(gap) event(s) are left out here")))
                )
            }
            last = event.id
            try await writer.write(ByteBuffer(bytes: line(event)))
        }
        try await writer.finish(nil)
    }
    return Response(status: .ok, headers: [.contentType: Lines.mediaType], body: body)
}

// MARK: - Responses

private func response(_ body: ByteBuffer, _ mediaType: String, status: HTTPResponse.Status = .ok) -> Response {
    Response(status: status, headers: [.contentType: mediaType], body: ResponseBody(byteBuffer: body))
}

private func response(_ problem: Problem) -> Response {
    response(
        ByteBuffer(bytes: JSON.encode(problem)), Problem.mediaType,
        status: HTTPResponse.Status(code: problem.status, reasonPhrase: problem.title))
}

private func response(_ result: Result<Reconciliation, Problem>) -> Response {
    switch result {
    case .success(let reconciliation): response(ByteBuffer(bytes: JSON.encode(reconciliation)), "application/json")
    case .failure(let problem): response(problem)
    }
}

/// Whatever goes wrong is told as a problem; every answer is the connection's last.
private struct Problems: RouterMiddleware {
    func handle(
        _ request: Request, context: BasicRequestContext, next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response = await answer(request, context, next)
        response.headers[.connection] = "close"
        return response
    }

    private func answer(
        _ request: Request, _ context: BasicRequestContext, _ next: (Request, BasicRequestContext) async throws -> Response
    ) async -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError {
            let status = error.status
            return fwmarkd.response(
                Problem(
                    title: status.reasonPhrase, status: status.code,
                    detail: error.body ?? "\(request.method) \(request.uri.path): \(status.reasonPhrase)"))
        } catch {
            return fwmarkd.response(Problem(title: "Internal Server Error", status: 500, detail: "\(error)"))
        }
    }
}
