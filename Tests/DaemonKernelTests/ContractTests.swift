// SPDX-License-Identifier: GPL-2.0-or-later
import DaemonSupport
import Foundation
import NamespaceSupport
import Testing

private let curl = "/usr/bin/curl"

extension DaemonKernelTests {
    @Suite(
        "Every request is answered as the API's description says",
        .enabled(if: FileManager.default.isExecutableFile(atPath: curl), "needs curl"))
    struct Contract {
        /// Where the daemon is asked.
        enum Door: String {
            case status, control, network
        }

        /// A request and what its answer has to have.
        struct Question: Sendable, CustomTestStringConvertible {
            var door: Door
            /// Words for curl.
            var request: String
            var code: Int
            /// Parts of the answer, its head in lower case.
            var parts: [String]

            init(_ door: Door, _ request: String, _ code: Int, _ parts: String...) {
                (self.door, self.request, self.code, self.parts) = (door, request, code, parts)
            }

            var testDescription: String { "\(door.rawValue) \(request)" }
        }

        static let questions = [
            Question(
                .status, "/v1/status", 200, "content-type: application/json", "cache-control: no-store", "\"state\":\"in-sync\""),
            Question(.status, "/v1/status?match=ftp&limit=1&offset=0", 200, "\"matchingServices\":1"),
            Question(.status, "/v1/status?limit=x", 400, "application/problem+json", "urn:fwmarkd:problem:parameter", "limit"),
            Question(.status, "/v1/status?limt=1", 400, "unknown parameter; known here: match, offset, limit"),
            Question(.status, "/v1/status?limit=1&limit=2", 400, "more than once"),
            Question(.status, "/", 404, "application/problem+json", "\"status\":404"),
            Question(.status, "/v1/nothing", 404, "application/problem+json", "/v1/openapi.json"),
            Question(.status, "-X DELETE /v1/status", 405, "allow: get, head", "application/problem+json", "\"status\":405"),
            Question(.status, "-X POST /metrics", 405, "allow: get, head"),
            Question(.control, "/v1/reload", 405, "allow: post", "this takes POST"),
            Question(.status, "-X POST /v1/reload", 403, "application/problem+json", "control.sock"),
            Question(.network, "-X POST /v1/reconcile", 403, "application/problem+json"),
            Question(.control, "-X POST /v1/reconcile", 200, "\"changeCount\":0"),
            Question(.status, "/v1/explain?protocol=tcp&source=198.51.100.7:1&destination=203.0.113.10:21", 200, "\"value\":21"),
            Question(.status, "/v1/explain?protocol=tcp&source=198.51.100.7:1", 400, "application/problem+json", "destination"),
            Question(
                .network, "/", 200, "text/html", "content-security-policy: default-src 'none'", "x-content-type-options: nosniff"),
            Question(.network, "-H Host:rebound.example.com /", 421, "application/problem+json", "urn:fwmarkd:problem:host"),
            Question(.network, "-H Host:rebound.example.com /v1/status", 421, "urn:fwmarkd:problem:host"),
            Question(.network, "-H Host:rebound.example.com /metrics", 200, "text/plain; version=0.0.4", "fwmarkd_in_sync 1"),
            Question(.status, "-H Host:rebound.example.com /v1/status", 200),
        ]

        private static let file = """
            daemon: {http-listen: "127.0.0.1:9780"}
            ftp:
              - {name: ftp, mark: 21, addresses: [203.0.113.10], passive-ports: 10000-20000}
            """

        /// Asks by curl, and returns the answer's status and the whole, its head in lower case.
        private static func ask(_ daemon: Daemon, _ door: Door, _ request: String) throws -> (code: Int, text: String) {
            var words = request.split(separator: " ").map(String.init)
            let path = words.removeLast()
            let socket = door == .control ? daemon.files.controlSocket : daemon.files.statusSocket
            let way = door == .network ? [] : ["--unix-socket", socket]
            let host = door == .network ? "127.0.0.1:9780" : "localhost"
            let answer = try daemon.files.namespace.end(
                of: [curl, "--silent", "--include", "--noproxy", "*", "--max-time", "10"] + way + words + ["http://\(host)\(path)"])
            let parts = answer.output.split(separator: "\r\n\r\n", maxSplits: 1).map(String.init)
            let head = parts.first?.lowercased() ?? ""
            return (
                head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0,
                head + "\r\n\r\n" + parts.dropFirst().joined()
            )
        }

        @Test("By status, media type and content, over both sockets and http-listen; HEAD is GET without a body")
        func answers() async throws {
            try await NetworkNamespace.run { namespace in
                try namespace.run("ip", "link", "set", "lo", "up")
                let daemon = try Daemon.ready(in: namespace, Self.file)
                for question in Self.questions {
                    let answer = try Self.ask(daemon, question.door, question.request)
                    #expect(answer.code == question.code, "\(question.testDescription): \(answer.text)")
                    for part in question.parts {
                        #expect(answer.text.contains(part), "\(question.testDescription): \(answer.text)")
                    }
                    // By a client that reads whatever comes, unlike curl.
                    guard question.door == .status, !question.request.contains(" ") else { continue }
                    let head = try Answer(of: daemon.files.statusSocket, "HEAD", question.request)
                    #expect(head.code == question.code && head.body.isEmpty, "HEAD \(question.testDescription): \(head)")
                }
                #expect(try daemon.stop() == 0)
            }
        }

        @Test("Server-sent events go on after the last that a client has seen, and from the first after a restart of the daemon")
        func resumed() async throws {
            try await NetworkNamespace.run { namespace in
                try namespace.run("ip", "link", "set", "lo", "up")
                let daemon = try Daemon.ready(in: namespace, Self.file)
                func ids(_ header: String) throws -> [String] {
                    let answer = try Self.ask(daemon, .network, "-H Accept:text/event-stream \(header) /v1/events")
                    #expect(answer.text.contains("content-type: text/event-stream"))
                    return answer.text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("id: ") }.map {
                        String($0.dropFirst(4))
                    }
                }
                let all = try ids("")
                let first = try #require(all.first)
                #expect(all.count >= 2)
                #expect(try ids("-H Last-Event-ID:\(first)") == Array(all.dropFirst()))
                #expect(try ids("-H Last-Event-ID:1-99") == all)
                #expect(try daemon.stop() == 0)
            }
        }
    }
}
