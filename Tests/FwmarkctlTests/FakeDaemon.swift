// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import Synchronization

/// The daemon's sockets with answers that a test chose, right and wrong ones.
final class FakeDaemon: Sendable {
    /// A client's connection, its request read.
    struct Connection {
        fileprivate let descriptor: CInt
        /// How many requests for this target there were before.
        let earlier: Int

        /// Sends the text as it is.
        func send(_ text: String) {
            let bytes = Array(text.utf8)
            _ = Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
        }

        /// Sends a whole answer.
        func answer(_ status: Int, _ body: String, type: String = "application/json") {
            send("HTTP/1.1 \(status) X\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }

        /// Begins an answer of chunks.
        func beginChunks() { send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") }

        /// Sends a chunk; an empty one ends the answer.
        func chunk(_ text: String) { send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n") }
    }

    typealias Answers = [String: @Sendable (Connection) -> Void]

    /// Where the sockets are.
    let directory: String
    private let answers: Answers
    private let listeners: [CInt]
    private let counts = Mutex<[String: Int]>([:])

    /// The requests so far, `POST /v1/reload`, with their number.
    var requests: [String: Int] { counts.withLock { $0 } }

    /// A daemon that answers `METHOD TARGET` by calling the closure; anything else with 404.
    init(_ scratch: Scratch, _ answers: Answers) throws {
        directory = scratch.path
        self.answers = answers
        listeners = try ["status.sock", "control.sock"].map { try FakeDaemon.listen(scratch.path + "/" + $0) }
        chmod(directory + "/status.sock", 0o666)
        chmod(directory + "/control.sock", 0o600)
        for listener in listeners {
            Thread { [self] in
                while true {
                    let client = accept(listener, nil, nil)
                    guard client >= 0 else { return }
                    Thread { [self] in serve(client) }.start()
                }
            }.start()
        }
    }

    /// Ends it; the sockets' files stay, as a crash would leave them.
    func stop() { for listener in listeners { shutdown(listener, CInt(SHUT_RDWR)) } }

    private static func listen(_ path: String) throws -> CInt {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0, Glibc.listen(descriptor, 16) == 0 else { throw Failure("\(path): \(String(cString: strerror(errno)))") }
        return descriptor
    }

    private func serve(_ client: CInt) {
        defer { close(client) }
        var request: [UInt8] = []
        var byte: UInt8 = 0
        while !request.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard read(client, &byte, 1) == 1 else { return }
            request.append(byte)
        }
        let words = String(decoding: request, as: UTF8.self).split(separator: " ").prefix(2).joined(separator: " ")
        let earlier = counts.withLock { counts in
            counts[words, default: 0] += 1
            return counts[words, default: 1] - 1
        }
        let connection = Connection(descriptor: client, earlier: earlier)
        guard let answer = answers[words] else { return connection.answer(404, "{}") }
        answer(connection)
    }
}
