// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
package import Rules

/// An internet socket of a test; it belongs to the network namespace of the thread that made it. Waits are bounded.
package final class TestSocket: Sendable {
    /// Why no connection came about.
    package enum Refusal: Error, Sendable, Hashable {
        /// The kernel's number of the error: `ECONNREFUSED`, `ENETUNREACH` …
        case errno(CInt)
        /// Nothing came in time.
        case timeout
    }

    private let descriptor: CInt

    private init(_ family: Family, _ type: CInt, _ protocolNumber: CInt = 0) throws {
        descriptor = socket(family == .ipv4 ? AF_INET : AF_INET6, type | CInt(SOCK_CLOEXEC.rawValue), protocolNumber)
        guard descriptor >= 0 else { throw Failure("socket: \(String(cString: strerror(errno)))") }
        var one: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
    }

    private init(accepted descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A TCP socket that takes connections to the port of any address.
    package static func listener(_ family: Family, port: UInt16) throws -> TestSocket {
        let listener = try TestSocket(family, CInt(SOCK_STREAM.rawValue))
        try listener.bind(family, nil, port)
        guard listen(listener.descriptor, 64) == 0 else { throw Failure("listen: \(String(cString: strerror(errno)))") }
        return listener
    }

    /// A UDP socket of the port of any address; of any port if none is given.
    package static func datagrams(_ family: Family, port: UInt16 = 0) throws -> TestSocket {
        let receiver = try TestSocket(family, CInt(SOCK_DGRAM.rawValue))
        try receiver.bind(family, nil, port)
        return receiver
    }

    /// A raw socket that gets a copy of every TCP segment for an address of the namespace.
    package static func segments(_ family: Family) throws -> TestSocket {
        try TestSocket(family, CInt(SOCK_RAW.rawValue), CInt(IPPROTO_TCP))
    }

    /// Connects over TCP, from the given port and address if there are any.
    ///
    /// - Throws: `Refusal` when no connection comes about within the time.
    package static func connect(
        to address: Address, port: UInt16, from source: Address? = nil, sourcePort: UInt16 = 0, seconds: Double = 2
    ) throws -> TestSocket {
        let client = try TestSocket(address.family, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue))
        if source != nil || sourcePort != 0 { try client.bind(address.family, source, sourcePort) }
        let result = withSocketAddress(address, port) { Foundation.connect(client.descriptor, $0, $1) }
        if result != 0 {
            guard errno == EINPROGRESS else { throw Refusal.errno(errno) }
            guard client.wait(POLLOUT, seconds) else { throw Refusal.timeout }
            var number: CInt = 0
            var length = socklen_t(MemoryLayout<CInt>.size)
            getsockopt(client.descriptor, SOL_SOCKET, SO_ERROR, &number, &length)
            guard number == 0 else { throw Refusal.errno(number) }
        }
        return client
    }

    /// Takes the next connection.
    ///
    /// - Throws: `Refusal.timeout` when none comes within the time.
    package func accept(seconds: Double = 2) throws -> (connection: TestSocket, peer: Address, peerPort: UInt16) {
        guard wait(POLLIN, seconds) else { throw Refusal.timeout }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let accepted = withUnsafeMutableBytes(of: &storage) {
            Foundation.accept(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard accepted >= 0 else { throw Refusal.errno(errno) }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        let (peer, port) = parts(of: storage)
        return (TestSocket(accepted: accepted), peer, port)
    }

    /// Sends a datagram of so many bytes.
    ///
    /// - Throws: `Refusal` when the kernel does not take it, also for what became of an earlier one.
    package func send(bytes count: Int = 1, to address: Address, port: UInt16) throws {
        let data = [UInt8](repeating: 0x55, count: count)
        let sent = withSocketAddress(address, port) { sendto(descriptor, data, data.count, 0, $0, $1) }
        guard sent == count else { throw Refusal.errno(errno) }
    }

    /// Takes the next datagram, and tells who sent it.
    ///
    /// - Throws: `Refusal.timeout` when none comes within the time.
    package func receive(seconds: Double = 2) throws -> (bytes: [UInt8], from: Address, port: UInt16) {
        guard wait(POLLIN, seconds) else { throw Refusal.timeout }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = withUnsafeMutableBytes(of: &storage) {
            recvfrom(
                descriptor, &buffer, buffer.count, 0, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard count >= 0 else { throw Refusal.errno(errno) }
        let (address, port) = parts(of: storage)
        return (Array(buffer[..<count]), address, port)
    }

    /// Waits for a TCP segment from the port, on a socket of `segments`, and tells its source address.
    package func source(ofSegmentFrom port: UInt16, seconds: Double = 2) throws -> Address {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            let (bytes, address, _) = try receive(seconds: seconds)
            // IPv4 comes with its header, IPv6 without.
            let start = address.family == .ipv4 ? Int(bytes.first ?? 0) % 16 * 4 : 0
            guard bytes.count >= start + 20 else { continue }
            if UInt16(bytes[start]) << 8 | UInt16(bytes[start + 1]) == port { return address }
        }
        throw Refusal.timeout
    }

    private func bind(_ family: Family, _ address: Address?, _ port: UInt16) throws {
        let any = Address(family: family, bits: 0)
        let result = withSocketAddress(address ?? any, port) { Foundation.bind(descriptor, $0, $1) }
        guard result == 0 else { throw Failure("bind to port \(port): \(String(cString: strerror(errno)))") }
    }

    private func wait(_ events: CInt, _ seconds: Double) -> Bool {
        var event = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&event, 1, CInt(seconds * 1000)) == 1
    }
}

private func withSocketAddress<Result>(_ address: Address, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result)
    -> Result
{
    func call<Value>(_ value: Value) -> Result {
        withUnsafePointer(to: value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Value>.size)) }
        }
    }
    switch address.family {
    case .ipv4:
        return call(
            sockaddr_in(
                sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
                sin_addr: in_addr(s_addr: UInt32(truncatingIfNeeded: address.bits).bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0)))
    case .ipv6:
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &six.sin6_addr) { $0.storeBytes(of: address.bits.bigEndian, as: UInt128.self) }
        return call(six)
    }
}

private func parts(of storage: sockaddr_storage) -> (Address, UInt16) {
    withUnsafeBytes(of: storage) { bytes in
        guard CInt(storage.ss_family) == AF_INET6 else {
            let four = bytes.loadUnaligned(as: sockaddr_in.self)
            return (Address(ipv4: UInt32(bigEndian: four.sin_addr.s_addr)), UInt16(bigEndian: four.sin_port))
        }
        let six = bytes.loadUnaligned(as: sockaddr_in6.self)
        let bits = withUnsafeBytes(of: six.sin6_addr) { UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) }
        return (Address(ipv6: bits), UInt16(bigEndian: six.sin6_port))
    }
}
