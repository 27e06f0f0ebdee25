// SPDX-License-Identifier: GPL-2.0-or-later
import API
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// A message.
    init(json body: ByteBuffer) {
        self.init(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: body))
    }

    /// A problem (RFC 9457).
    init(_ problem: Problem) {
        self.init(
            status: HTTPResponse.Status(code: problem.status, reasonPhrase: problem.title),
            headers: [.contentType: Problem.mediaType], body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSON.encode(problem))))
    }
}
