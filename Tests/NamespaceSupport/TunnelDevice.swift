// SPDX-License-Identifier: GPL-2.0-or-later
import CNamespaces
import Foundation

/// A network interface whose other end is the test: what the test writes comes in by it, and what leaves by it the test reads.
/// It is gone when the value goes.
package final class TunnelDevice: Sendable {
    /// The interface's name.
    package let name: String
    private let descriptor: CInt

    /// An interface of the calling thread's network namespace; it is not up yet.
    ///
    /// - Parameter hasFrames: whether Ethernet frames come in and leave, and not bare IP packets.
    package init(_ name: String, hasFrames: Bool = false) throws {
        self.name = name
        descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Failure("/dev/net/tun: \(String(cString: strerror(errno)))") }
        guard fwmarkd_tun_attach(descriptor, name, Int16(hasFrames ? IFF_TAP : IFF_TUN)) == 0 else {
            throw Failure("making the interface \(name): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Lets an IP packet or a frame come in; the kernel is done with it when the call returns.
    package func write(_ packet: [UInt8]) throws {
        let count = packet.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        guard count == packet.count else { throw Failure("writing to \(name): \(String(cString: strerror(errno)))") }
    }

    /// The next IP packet that has left; nil if none comes in time.
    package func read(milliseconds: CInt = 0) throws -> [UInt8]? {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, milliseconds) == 1 else { return nil }
        var packet = [UInt8](repeating: 0, count: 2048)
        let count = packet.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw Failure("reading from \(name): \(String(cString: strerror(errno)))") }
        return Array(packet[..<count])
    }
}
