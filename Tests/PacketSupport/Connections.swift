// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
package import Rules

/// What connection tracking knows of the connections of the calling thread's network namespace.
package struct Connections {
    /// A connection, as its first packet named it.
    package struct Key: Hashable {
        let protocolNumber: UInt8
        let source, destination: Address
        let sourcePort, destinationPort: UInt16

        /// The connection of a packet.
        package init(
            _ protocolNumber: UInt8, _ source: Address, _ sourcePort: UInt16?, _ destination: Address, _ destinationPort: UInt16?
        ) {
            self.protocolNumber = protocolNumber
            (self.source, self.destination) = (source, destination)
            (self.sourcePort, self.destinationPort) = (sourcePort ?? 0, destinationPort ?? 0)
        }
    }

    /// What is known of a connection.
    package struct Entry: Hashable {
        /// Its mark.
        package let mark: UInt32
        /// Where answers go: the source after translation.
        package let answersTo: Address
        /// Where answers come from: the destination after translation.
        package let answersFrom: Address
        /// The port that answers come from; 0 without ports.
        package let answersFromPort: UInt16
    }

    /// The connections.
    package private(set) var entries: [Key: Entry] = [:]

    /// Reads them from `/proc/net/nf_conntrack`.
    package init() throws {
        let text = try String(contentsOfFile: "/proc/thread-self/net/nf_conntrack", encoding: .utf8)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 6, let protocolNumber = UInt8(words[3]) else { continue }
            func values(_ name: String) -> [Substring] {
                words.filter { $0.hasPrefix(name + "=") }.map { $0.dropFirst(name.count + 1) }
            }
            func address(_ text: Substring?) -> Address? { text.flatMap { try? Address(parsing: String($0)) } }
            let (ports, otherPorts) = (values("sport").map { UInt16($0) }, values("dport").map { UInt16($0) })
            guard let source = address(values("src").first), let destination = address(values("dst").first),
                let answersTo = address(values("dst").last), let answersFrom = address(values("src").last),
                let mark = values("mark").first.flatMap({ UInt32($0) })
            else { continue }
            let key = Key(protocolNumber, source, ports.first ?? nil, destination, otherPorts.first ?? nil)
            entries[key] = Entry(
                mark: mark, answersTo: answersTo, answersFrom: answersFrom, answersFromPort: (ports.count > 1 ? ports[1] : nil) ?? 0
            )
        }
    }

    /// Forgets all connections of the calling thread's network namespace.
    package static func flush() throws {
        let descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 12 /* NETLINK_NETFILTER */)
        guard descriptor >= 0 else { throw Failure("socket: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        // struct nlmsghdr, then struct nfgenmsg, all families: IPCTNL_MSG_CT_DELETE without attributes,
        // <linux/netfilter/nfnetlink_conntrack.h>.
        let message: [UInt8] = [20, 0, 0, 0] + [2, 1] + [5, 0] + [1, 0, 0, 0] + [0, 0, 0, 0] + [0, 0, 0, 0]
        guard send(descriptor, message, message.count, 0) == message.count else {
            throw Failure("flushing connections: \(String(cString: strerror(errno)))")
        }
        var answer = [UInt8](repeating: 0, count: 256)
        let count = recv(descriptor, &answer, answer.count, 0)
        guard count >= 20, answer[16..<20].allSatisfy({ $0 == 0 }) else { throw Failure("flushing connections: refused") }
    }
}
