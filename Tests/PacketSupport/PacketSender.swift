// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
package import Rules

/// Sends IP packets of the namespace's own, with all headers: they go through OUTPUT.
package final class PacketSender: Sendable {
    private let descriptor: CInt
    private let family: Family

    /// Its packets bear the mark when they meet OUTPUT.
    package init(_ family: Family, mark: UInt32) throws {
        self.family = family
        let type = CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = socket(family == .ipv4 ? AF_INET : AF_INET6, type, CInt(IPPROTO_RAW))
        guard descriptor >= 0 else { throw Failure("socket: \(String(cString: strerror(errno)))") }
        var mark = mark
        guard setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, socklen_t(MemoryLayout<UInt32>.size)) == 0 else {
            throw Failure("SO_MARK: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Sends one packet.
    package func send(_ bytes: [UInt8], to address: Address) throws {
        let count: Int
        switch family {
        case .ipv4:
            var to = sockaddr_in()
            to.sin_family = sa_family_t(AF_INET)
            to.sin_addr.s_addr = UInt32(address.bits).bigEndian
            count = withUnsafePointer(to: &to) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        case .ipv6:
            var to = sockaddr_in6()
            to.sin6_family = sa_family_t(AF_INET6)
            withUnsafeMutableBytes(of: &to.sin6_addr) { $0.storeBytes(of: address.bits.bigEndian, as: UInt128.self) }
            count = withUnsafePointer(to: &to) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        guard count == bytes.count else { throw Failure("sendto \(address): \(String(cString: strerror(errno)))") }
    }
}
