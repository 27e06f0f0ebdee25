import Foundation
import NamespaceSupport
import Planner
import Rules

/// A packet as bytes, with a number in its last four by which it is known again wherever it comes out.
struct TestPacket {
    /// The number's upper half, which tells the packets of a test from all others.
    private static let token: UInt32 = 0x5eed_0000
    /// The protocol of packets without ports: one for experiments (RFC 3692), which the kernel knows nothing of.
    static let portless: UInt8 = 253

    let packet: Packet
    let number: UInt16

    /// Header by header. Checksums of the transport protocols are wrong, so that the kernel lets the packets through all its
    /// tables and does not answer them.
    var bytes: [UInt8] {
        let body = transport + big(TestPacket.token | UInt32(number))
        let protocolNumber = packet.transport?.number ?? TestPacket.portless
        switch packet.source.family {
        case .ipv4:
            var header: [UInt8] = [0x45, 0] + big(UInt16(20 + body.count)) + [0, 0, 0, 0, 64, protocolNumber, 0, 0]
            header += big(UInt32(packet.source.bits)) + big(UInt32(packet.destination.bits))
            var sum = stride(from: 0, to: 20, by: 2).reduce(0) { $0 + Int(header[$1]) << 8 + Int(header[$1 + 1]) }
            while sum > 0xffff { sum = sum >> 16 + sum & 0xffff }
            header.replaceSubrange(10..<12, with: big(UInt16(~sum & 0xffff)))
            return header + body
        case .ipv6:
            let header: [UInt8] = [0x60, 0, 0, 0] + big(UInt16(body.count)) + [protocolNumber, 64]
            return header + big(packet.source.bits) + big(packet.destination.bits) + body
        }
    }

    /// The beginning of a connection.
    private var transport: [UInt8] {
        let ports = big(packet.sourcePort) + big(packet.destinationPort)
        return switch packet.transport {
        case .tcp: ports + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0xbe, 0xef, 0, 0]
        case .udp: ports + [0, 12, 0xbe, 0xef]
        // An INIT chunk, whose last field the number is.
        case .sctp: ports + [0, 0, 0, 0, 0xbe, 0xef, 0xbe, 0xef, 1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 1, 0, 1]
        case nil: [0, 0, 0, 0]
        }
    }

    /// The number in the bytes; nil if they are no packet of this test's.
    static func number(of bytes: [UInt8]) -> UInt16? {
        let last = bytes.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return last & 0xffff_0000 == token ? UInt16(truncatingIfNeeded: last) : nil
    }

    /// The source address in an IP header.
    static func source(of bytes: [UInt8]) -> Address? {
        func number(_ range: Range<Int>) -> UInt128 { bytes[range].reduce(0) { $0 << 8 | UInt128($1) } }
        switch (bytes.first ?? 0) >> 4 {
        case 4 where bytes.count >= 20: return Address(family: .ipv4, bits: number(12..<16))
        case 6 where bytes.count >= 40: return Address(family: .ipv6, bits: number(8..<24))
        default: return nil
        }
    }
}

/// The number's bytes as they stand on the wire.
private func big(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

/// A raw socket that gets every packet of a protocol for an address of the namespace, and says which mark it bears.
final class MarkReceiver: Sendable {
    private let descriptor: CInt

    init(_ family: Family, _ protocolNumber: UInt8) throws {
        let type = CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        descriptor = socket(family == .ipv4 ? AF_INET : AF_INET6, type, CInt(protocolNumber))
        guard descriptor >= 0 else { throw Failure("socket: \(String(cString: strerror(errno)))") }
        var one: CInt = 1
        guard setsockopt(descriptor, SOL_SOCKET, SO_RCVMARK, &one, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
            throw Failure("SO_RCVMARK: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// The next packet that has come, and its mark; nil if none is there.
    func receive() throws -> (bytes: [UInt8], mark: UInt32)? {
        var bytes = [UInt8](repeating: 0, count: 2048)
        var control = [UInt8](repeating: 0, count: 256)
        var controlCount = 0
        let count = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    let count = recvmsg(descriptor, &message, 0)
                    controlCount = message.msg_controllen
                    return count
                }
            }
        }
        guard count >= 0 else {
            guard errno == EAGAIN else { throw Failure("recvmsg: \(String(cString: strerror(errno)))") }
            return nil
        }
        // struct cmsghdr: the length of all, then level and type as 32-bit numbers, then the data.
        let header = MemoryLayout<cmsghdr>.size
        guard controlCount >= header + 4 else { throw Failure("a packet without its mark") }
        let (message, mark) = control.withUnsafeBytes {
            ($0.loadUnaligned(as: cmsghdr.self), $0.loadUnaligned(fromByteOffset: header, as: UInt32.self))
        }
        guard message.cmsg_level == SOL_SOCKET, message.cmsg_type == SO_MARK else { throw Failure("a message that is no mark") }
        return (Array(bytes[..<count]), mark)
    }
}
