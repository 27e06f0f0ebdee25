import API
import HTTPTypes
import Hummingbird
import Keeper
import NIOCore

// What is answered where. A request for which there is no route, or of a wrong method, is a problem like any other.

/// The routes of a Unix socket. `mayAct`: whether it takes requests that change something.
func readingRouter(_ answers: some AnswerSource, mayAct: Bool) -> Router<ClientContext> {
    let router = Router(context: ClientContext.self)
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
    return router
}

/// The routes over TCP: reading alone.
func httpRouter(_ answers: some AnswerSource) -> Router<ClientContext> {
    let router = Router(context: ClientContext.self)
    router.add(middleware: Problems())
    addReading(router, answers)
    return router
}

private func addReading(_ router: Router<ClientContext>, _ answers: some AnswerSource) {
    router.get("\(Endpoint.status)") { _, _ in response(try answers.status(), answers) }
    router.get("\(Endpoint.rules)") { _, _ in response(try answers.rules(), answers) }
    router.get("\(Endpoint.metrics)") { _, _ in response(try answers.metrics(), answers) }
    router.get("\(Endpoint.events)") { request, context in
        switch request.uri.queryParameters["follow"] {
        case nil, "false": past(answers.board.events)
        case "true": following(answers, user: await context.user())
        case let other?:
            response(Problem(title: "Bad Request", status: 400, detail: "follow is \"\(other)\"; expected true or false"))
        }
    }
}

// MARK: - Events

/// Newline-delimited JSON.
private let linesMediaType = "application/x-ndjson"

private func past(_ events: [StoredEvent]) -> Response {
    let body = ResponseBody { writer in
        // One by one: they are not copied for a client that does not read.
        for event in events { try await writer.write(ByteBuffer(bytes: event.line)) }
        try await writer.finish(nil)
    }
    return Response(status: .ok, headers: [.contentType: linesMediaType], body: body)
}

private func following(_ answers: some AnswerSource, user: UInt32?) -> Response {
    guard let follower = answers.board.follow(user: user) else {
        answers.board.countRefusedRequest()
        return response(
            .busy(
                "there are \(StatusBoard.followerLimit) followers of events already, or \(StatusBoard.followersOfUser) of this user"
            ))
    }
    let body = ResponseBody { writer in
        // Ends when the daemon stops; writing fails when the client has gone.
        following: while let step = await follower.next() {
            switch step {
            case .events(let events): for event in events { try await writer.write(ByteBuffer(bytes: event.line)) }
            case .cutOff(let last):
                try await writer.write(ByteBuffer(bytes: last.line))
                break following
            }
        }
        try await writer.finish(nil)
    }
    return Response(status: .ok, headers: [.contentType: linesMediaType], body: body)
}

// MARK: - Responses

/// The answer, a piece after the other as the client reads; refused where too much is unread already.
func response(_ answer: Answer, _ answers: some AnswerSource) -> Response {
    guard let reading = answers.unread.begin(answer) else {
        answers.board.countRefusedRequest()
        return response(.busy("too many answers are not read yet; ask again in a few seconds"))
    }
    let body = ResponseBody(contentLength: answer.body.readableBytes) { writer in
        var rest = answer.body
        while let piece = rest.readSlice(length: min(1 << 16, rest.readableBytes)), piece.readableBytes > 0 {
            try await writer.write(piece)
        }
        try await writer.finish(nil)
        withExtendedLifetime(reading) {}
    }
    return Response(status: .ok, headers: [.contentType: answer.mediaType], body: body)
}

func response(_ problem: Problem) -> Response {
    Response(
        status: HTTPResponse.Status(code: problem.status, reasonPhrase: problem.title),
        headers: [.contentType: Problem.mediaType], body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSON.encode(problem))))
}

private func response(_ result: Result<Reconciliation, Problem>) -> Response {
    switch result {
    case .success(let reconciliation):
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSON.encode(reconciliation))))
    case .failure(let problem): response(problem)
    }
}

/// Whatever goes wrong is answered as a problem; every answer is the connection's last.
struct Problems: RouterMiddleware {
    func handle(
        _ request: Request, context: ClientContext, next: (Request, ClientContext) async throws -> Response
    ) async throws -> Response {
        var response = await answer(request, context, next)
        response.headers[.connection] = "close"
        return response
    }

    private func answer(
        _ request: Request, _ context: ClientContext, _ next: (Request, ClientContext) async throws -> Response
    ) async -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError {
            let status = error.status
            return response(
                Problem(
                    title: status.reasonPhrase, status: status.code,
                    detail: error.body ?? "\(request.method) \(request.uri.path): \(status.reasonPhrase)"))
        } catch {
            return response(Problem(title: "Internal Server Error", status: 500, detail: "\(error)"))
        }
    }
}
