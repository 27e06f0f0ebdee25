// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A virtual service of IPVS, as its own netlink family describes it (`IPVS_SVC_ATTR_…` of `<linux/ip_vs.h>`).
package struct VirtualService: Sendable, Hashable {
    /// What its packets have in common.
    package enum Subject: Sendable, Hashable {
        /// The firewall mark; all 32 bits are compared.
        case mark(UInt32)
        /// Protocol number, address and port.
        case address(protocol: UInt8, Address, port: UInt16)
    }

    /// The family of its packets. IPVS keeps the services on one mark apart by family.
    package var family: Family
    /// What its packets have in common.
    package var subject: Subject
    /// How it picks a real server: `rr`.
    package var scheduler: String
    /// How long a client stays with its real server, in seconds; nil: for one connection.
    package var persistence: UInt32?
    /// How many leading bits of clients' addresses persistence compares; 32 or 128: each client for itself.
    package var persistencePrefix: Int
    /// Whether each packet is scheduled for itself (`ipvsadm --ops`).
    package var isOnePacket: Bool
    /// How many connections it has had since it was made.
    package var connections: UInt64
    /// The real servers, with weight 0 as well.
    package var realServers: [RealServer]

    /// The mark it is for; nil: for an address and a port.
    package var mark: UInt32? { if case .mark(let mark) = subject { mark } else { nil } }

    /// A virtual service of these parts.
    package init(
        _ family: Family = .ipv4, _ subject: Subject, scheduler: String = "rr", persistence: UInt32? = nil,
        persistencePrefix: Int? = nil, isOnePacket: Bool = false, connections: UInt64 = 0, realServers: [RealServer] = []
    ) {
        (self.family, self.subject, self.scheduler) = (family, subject, scheduler)
        (self.persistence, self.persistencePrefix) = (persistence, persistencePrefix ?? family.bitWidth)
        (self.isOnePacket, self.connections, self.realServers) = (isOnePacket, connections, realServers)
    }
}
