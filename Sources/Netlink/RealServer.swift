// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A real server of a virtual service of IPVS (`IPVS_DEST_ATTR_…` of `<linux/ip_vs.h>`).
package struct RealServer: Sendable, Hashable {
    /// How packets reach a real server.
    package enum Method: String, Sendable, Hashable, CaseIterable {
        /// The destination address is translated (`ipvsadm -m`).
        case nat
        /// The packet is sent unchanged to the real server's hardware address (`-g`).
        case direct
        /// The packet is wrapped into another (`-i`).
        case tunnel
        /// The real server is the director itself.
        case local
        /// A cache is bypassed.
        case bypass
    }

    /// Its address; for tunnels of the other family than the virtual service's.
    package var address: Address
    /// Its port; 0: the port that the client called, as always with a mark.
    package var port: UInt16
    /// How packets reach it.
    package var method: Method
    /// Its share of new connections; 0: none.
    package var weight: Int32
    /// Connections that are established.
    package var activeConnections: UInt32
    /// Connections that are opening, closing or without a state, as UDP's.
    package var inactiveConnections: UInt32
    /// Persistence templates: clients that stay with it.
    package var persistentConnections: UInt32

    /// A real server of these parts.
    package init(
        _ address: Address, port: UInt16 = 0, method: Method = .nat, weight: Int32 = 1, activeConnections: UInt32 = 0,
        inactiveConnections: UInt32 = 0, persistentConnections: UInt32 = 0
    ) {
        (self.address, self.port, self.method, self.weight) = (address, port, method, weight)
        (self.activeConnections, self.inactiveConnections) = (activeConnections, inactiveConnections)
        self.persistentConnections = persistentConnections
    }
}
