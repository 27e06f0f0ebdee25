// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// IPVS' virtual service on a mark, as the kernel has it.
package struct VirtualServiceStatus: Codable, Sendable, Hashable {
    /// `ipv4` or `ipv6`: IPVS keeps the two apart.
    package var family: String
    /// The scheduler: `rr`, `wlc`, ….
    package var scheduler: String
    /// Seconds for which a client stays with one real server; absent: not persistent.
    package var persistence: UInt32?
    /// Whether each packet is scheduled by itself (`ipvsadm --ops`).
    package var isOnePacket: Bool
    /// Connections since the virtual service was made.
    package var connections: UInt64
    /// Its real servers.
    package var realServers: [RealServer]

    /// A virtual service of these parts.
    package init(
        family: String, scheduler: String, persistence: UInt32? = nil, isOnePacket: Bool = false, connections: UInt64 = 0,
        realServers: [RealServer] = []
    ) {
        self.family = family
        self.scheduler = scheduler
        self.persistence = persistence
        self.isOnePacket = isOnePacket
        self.connections = connections
        self.realServers = realServers
    }
}
