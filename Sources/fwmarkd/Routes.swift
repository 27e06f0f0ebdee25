// SPDX-License-Identifier: GPL-2.0-or-later
import API
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Keeper
import NIOCore

/// What is answered to which request: the API that openapi.json describes.
struct Routes: HTTPResponder {
    typealias Context = ClientContext

    let responses: Responses
    let door: Door

    /// The answer; every error is a problem.
    func respond(to request: Request, context: ClientContext) async throws -> Response {
        var response: Response
        do {
            response = try await answer(to: request, context)
        } catch let parameter as InvalidParameter {
            response = Response(parameter.problem)
        } catch let problem as Problem {
            response = Response(problem)
        } catch {
            response = Response(Problem(title: "Internal Server Error", status: 500, detail: "\(error)"))
        }
        response.headers[.connection] = "close"
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        if let name = HTTPField.Name("Referrer-Policy") { response.headers[name] = "no-referrer" }
        return request.method == .head ? response.createHeadResponse() : response
    }

    // MARK: - Which resource

    private enum Resource {
        case page, status, rules, explain, events, description, metrics, reload, reconcile

        var methods: [HTTPRequest.Method] {
            switch self {
            case .reload, .reconcile: [.post]
            default: [.get, .head]
            }
        }
    }

    private func resource(_ path: String) -> Resource? {
        switch path {
        case "/": if case .network = door { .page } else { nil }
        case Endpoint.status: .status
        case Endpoint.rules: .rules
        case Endpoint.explain: .explain
        case Endpoint.events: .events
        case Endpoint.description: .description
        case Endpoint.metrics: .metrics
        case Endpoint.reload: .reload
        case Endpoint.reconcile: .reconcile
        default: nil
        }
    }

    private func answer(to request: Request, _ context: ClientContext) async throws -> Response {
        let resource = resource(request.uri.path)
        if case .network(let names) = door, resource != .metrics, !names.contains(request.head.authority ?? "") {
            throw Problem(
                type: "urn:fwmarkd:problem:host", title: "Misdirected Request", status: 421,
                detail: "the request's Host is not a name of this machine; use its address, localhost or its host name")
        }
        guard let resource else {
            throw Problem(
                title: "Not Found", status: 404, detail: "no such resource; \(Endpoint.description) lists all")
        }
        guard resource.methods.contains(request.method) else {
            let allowed = resource.methods.map(\.rawValue).joined(separator: ", ")
            var response = Response(
                Problem(title: "Method Not Allowed", status: 405, detail: "this takes \(allowed)"))
            response.headers[.allow] = allowed
            return response
        }
        return try await answer(resource, request, context)
    }

    private func answer(_ resource: Resource, _ request: Request, _ context: ClientContext) async throws -> Response {
        switch resource {
        case .page: return StatusPage.embedded.response()
        case .status:
            let query = try StatusQuery(try parameters(request, StatusQuery.parameters))
            return try response(try responses.status(query))
        case .rules: return try response(try responses.rules())
        case .explain:
            let question = try PacketQuestion(try parameters(request, PacketQuestion.parameters))
            return try response(try responses.explain(question))
        case .events: return try await events(request, context)
        case .description: return Response(json: ByteBuffer(bytes: PackageResources.openapi_json))
        case .metrics: return try response(try responses.metrics())
        case .reload, .reconcile:
            guard door.mayAct else {
                throw Problem(
                    title: "Forbidden", status: 403,
                    detail: "this socket is for reading; changes go to \(Endpoint.controlSocket)")
            }
            let result = resource == .reload ? await responses.reload() : await responses.reconcile()
            return Response(json: ByteBuffer(bytes: JSON.encode(try result.get())))
        }
    }

    /// The values of a request's parameters, each of which it may have once.
    private func parameters(_ request: Request, _ known: [String]) throws(InvalidParameter) -> (String) -> String? {
        var values: [String: String] = [:]
        for (key, value) in request.uri.queryParameters {
            let name = String(key)
            guard known.contains(name) else {
                throw InvalidParameter("query", "unknown parameter; known here: \(known.joined(separator: ", "))")
            }
            guard values.updateValue(String(value), forKey: name) == nil else { throw InvalidParameter(name, "more than once") }
        }
        return { values[$0] }
    }

    /// The response, sent piece by piece as the client reads; refused where too much is unread already.
    private func response(_ shared: SharedBody) throws -> Response {
        guard let reading = responses.unread.begin(shared) else {
            responses.board.countRefusedRequest()
            throw Problem.busy("too many responses are still unread; ask again in a few seconds")
        }
        let body = ResponseBody(contentLength: shared.bytes.readableBytes) { writer in
            var rest = shared.bytes
            while let piece = rest.readSlice(length: min(1 << 16, rest.readableBytes)), piece.readableBytes > 0 {
                try await writer.write(piece)
            }
            try await writer.finish(nil)
            withExtendedLifetime(reading) {}
        }
        return Response(status: .ok, headers: [.contentType: shared.mediaType], body: body)
    }

    // MARK: - Events

    private func events(_ request: Request, _ context: ClientContext) async throws -> Response {
        let value = try parameters(request, ["follow"])
        let format = EventFormat(accept: request.headers[.accept], started: responses.board.contents.status.started)
        let position = format.position(after: request.headers[HTTPField.Name.lastEventID])
        let body: ResponseBody
        switch value("follow") {
        case nil, "false":
            let events = responses.board.events
            body = ResponseBody { writer in
                // One by one: they are not copied for a client that does not read.
                for event in events where event.event.id > position {
                    try await writer.write(ByteBuffer(bytes: format.bytes(event)))
                }
                try await writer.finish(nil)
            }
        case "true": body = try following(format, after: position, user: await context.user())
        case .some: throw InvalidParameter("follow", "it is true or false")
        }
        return Response(status: .ok, headers: [.contentType: format.mediaType], body: body)
    }

    private func following(_ format: EventFormat, after position: UInt64, user: UInt32?) throws -> ResponseBody {
        guard let follower = responses.board.follow(user: user, after: position) else {
            responses.board.countRefusedRequest()
            throw Problem.busy(
                "there are \(StatusBoard.followerLimit) followers of events already, or \(StatusBoard.followersOfUser) of this user"
            )
        }
        return ResponseBody { writer in
            if case .serverSent = format { try await writer.write(ByteBuffer(string: "retry: 2000\n\n")) }
            // Ends when the daemon stops; writing fails when the client has gone.
            following: while let step = await follower.next() {
                switch step {
                case .events(let events): for event in events { try await writer.write(ByteBuffer(bytes: format.bytes(event))) }
                case .cutOff(let last):
                    try await writer.write(ByteBuffer(bytes: format.bytes(last)))
                    break following
                }
            }
            try await writer.finish(nil)
        }
    }
}

extension HTTPField.Name {
    /// The id of the last server-sent event that a client has seen (WHATWG HTML, "Server-sent events").
    fileprivate static var lastEventID: HTTPField.Name { HTTPField.Name("Last-Event-ID") ?? .eTag }
}
