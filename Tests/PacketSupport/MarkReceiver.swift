// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
package import Rules

/// A raw socket that gets every packet of a protocol for an address of the namespace, and says which mark it bears.
package final class MarkReceiver: Sendable {
    private let descriptor: CInt
    /// Whether packets are wanted only as they leave.
    private let isTap: Bool

    /// A socket for packets of that protocol.
    package convenience init(_ family: Family, _ protocolNumber: UInt8) throws {
        let type = CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        try self.init(socket(family == .ipv4 ? AF_INET : AF_INET6, type, CInt(protocolNumber)), isTap: false)
    }

    /// A socket that gets what leaves by an interface, after all rules.
    package convenience init(leavingBy interface: String) throws {
        let type = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        // ETH_P_ALL, <linux/if_ether.h>: only who asks for all protocols sees what leaves.
        let all = UInt16(3).bigEndian
        let descriptor = socket(AF_PACKET, type, CInt(all))
        try self.init(descriptor, isTap: true)
        // struct sockaddr_ll, <linux/if_packet.h>.
        var address = [UInt8](repeating: 0, count: 20)
        address.withUnsafeMutableBytes {
            $0.storeBytes(of: UInt16(AF_PACKET), as: UInt16.self)
            $0.storeBytes(of: all, toByteOffset: 2, as: UInt16.self)
            $0.storeBytes(of: CInt(if_nametoindex(interface)), toByteOffset: 4, as: CInt.self)
        }
        let status = address.withUnsafeBytes {
            $0.withMemoryRebound(to: sockaddr.self) { bind(descriptor, $0.baseAddress, socklen_t(address.count)) }
        }
        guard status == 0 else { throw Failure("bind to \(interface): \(String(cString: strerror(errno)))") }
    }

    private init(_ descriptor: CInt, isTap: Bool) throws {
        self.descriptor = descriptor
        self.isTap = isTap
        guard descriptor >= 0 else { throw Failure("socket: \(String(cString: strerror(errno)))") }
        var one: CInt = 1
        guard setsockopt(descriptor, SOL_SOCKET, SO_RCVMARK, &one, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
            throw Failure("SO_RCVMARK: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// The next packet that has come, and its mark; nil if none is there.
    package func receive() throws -> (bytes: [UInt8], mark: UInt32)? {
        while true {
            var bytes = [UInt8](repeating: 0, count: 2048)
            var control = [UInt8](repeating: 0, count: 256)
            var sender = [UInt8](repeating: 0, count: 64)
            guard let (count, controlCount) = try receive(&bytes, &control, &sender) else { return nil }
            // PACKET_OUTGOING, <linux/if_packet.h>.
            if isTap, sender[10] != 4 { continue }
            // struct cmsghdr: the length of all, then level and type as 32-bit numbers, then the data.
            let header = MemoryLayout<cmsghdr>.size
            guard controlCount >= header + 4 else { throw Failure("a packet without its mark") }
            let (message, mark) = control.withUnsafeBytes {
                ($0.loadUnaligned(as: cmsghdr.self), $0.loadUnaligned(fromByteOffset: header, as: UInt32.self))
            }
            guard message.cmsg_level == SOL_SOCKET, message.cmsg_type == SO_MARK else {
                throw Failure("a message that is no mark")
            }
            return (Array(bytes[..<count]), mark)
        }
    }

    private func receive(
        _ bytes: inout [UInt8], _ control: inout [UInt8], _ sender: inout [UInt8]
    ) throws -> (count: Int, controlCount: Int)? {
        var controlCount = 0
        let count = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                sender.withUnsafeMutableBytes { sender in
                    var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                    return withUnsafeMutablePointer(to: &vector) { vector in
                        var message = msghdr()
                        message.msg_name = sender.baseAddress
                        message.msg_namelen = socklen_t(sender.count)
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
        }
        guard count < 0 else { return (count, controlCount) }
        guard errno == EAGAIN else { throw Failure("recvmsg: \(String(cString: strerror(errno)))") }
        return nil
    }
}
