// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// A Unix socket of a test. Waits are bounded.
package final class UnixSocket: Sendable {
    private let descriptor: CInt
    private let path: String?

    private init(_ type: CInt, boundTo path: String? = nil) throws {
        self.path = path
        descriptor = socket(AF_UNIX, type | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("socket: \(String(cString: strerror(errno)))") }
    }

    deinit {
        close(descriptor)
        if let path { unlink(path) }
    }

    /// A socket that takes datagrams at the path, as a service manager does.
    package static func datagrams(at path: String) throws -> UnixSocket {
        let receiver = try UnixSocket(CInt(SOCK_DGRAM.rawValue), boundTo: path)
        guard withUnixAddress(path, { bind(receiver.descriptor, $0, $1) }) == 0 else {
            throw Failure("bind to \(path): \(String(cString: strerror(errno)))")
        }
        return receiver
    }

    /// A connection to a server's socket.
    ///
    /// - Parameter waits: whether to wait for room where the server's queue is full.
    package static func connect(to path: String, waits: Bool = true) throws -> UnixSocket {
        let client = try UnixSocket(CInt(SOCK_STREAM.rawValue))
        if !waits { _ = fcntl(client.descriptor, F_SETFL, O_NONBLOCK) }
        // Blocking: where the server's queue is full, a Unix socket cannot be waited for in another way.
        var timeout = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(client.descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        guard withUnixAddress(path, { Foundation.connect(client.descriptor, $0, $1) }) == 0 else {
            throw Failure("connect to \(path): \(String(cString: strerror(errno)))")
        }
        _ = fcntl(client.descriptor, F_SETFL, O_NONBLOCK)
        return client
    }

    /// Ends the connection.
    package func hangUp() { _ = shutdown(descriptor, CInt(SHUT_RDWR)) }

    /// Sends what the other side takes within the time, and tells how many bytes that was.
    @discardableResult
    package func send(_ bytes: [UInt8], seconds: Double = 2) -> Int {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if count >= 0 {
                sent += count
            } else if errno != EAGAIN || !wait(POLLOUT, until: deadline) {
                break
            }
        }
        return sent
    }

    /// What comes next; nil when nothing came within the time, empty when the other side has closed.
    package func receive(seconds: Double = 2) -> [UInt8]? { receive(until: .now + .seconds(seconds)) }

    /// All that comes until the other side closes.
    ///
    /// - Throws: a `Failure` when that takes longer.
    package func receiveAll(seconds: Double = 5) throws -> [UInt8] {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var bytes: [UInt8] = []
        while let more = receive(until: deadline) {
            if more.isEmpty { return bytes }
            bytes += more
        }
        throw Failure("no end of the answer after \(seconds) s and \(bytes.count) bytes")
    }

    private func receive(until deadline: ContinuousClock.Instant) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        guard wait(POLLIN, until: deadline) else { return nil }
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? [] : Array(buffer[..<count])
    }

    private func wait(_ events: CInt, until deadline: ContinuousClock.Instant) -> Bool {
        let left = ContinuousClock.now.duration(to: deadline).components
        let milliseconds = max(0, left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000)
        var event = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&event, 1, CInt(milliseconds)) == 1
    }
}

private func withUnixAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    precondition(path.utf8.count < MemoryLayout.size(ofValue: address.sun_path))
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}
