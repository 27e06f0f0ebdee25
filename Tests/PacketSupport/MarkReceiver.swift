// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
package import Rules

/// A raw socket that gets every packet of a protocol for an address of the namespace, and says which mark it bears.
package final class MarkReceiver: Sendable {
    private let descriptor: CInt

    /// A socket for packets of that protocol.
    package init(_ family: Family, _ protocolNumber: UInt8) throws {
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
    package func receive() throws -> (bytes: [UInt8], mark: UInt32)? {
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
