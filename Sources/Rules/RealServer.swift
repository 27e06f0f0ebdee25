// SPDX-License-Identifier: GPL-2.0-or-later
/// A real server of a virtual service of IPVS.
package struct RealServer: Codable, Sendable, Hashable {
    /// The address; for tunnels it may be of another family than the virtual service's.
    package var address: Address
    /// The port; 0: the one that the client called, as is usual with marks.
    package var port: UInt16
    /// How packets are sent to it.
    package var forwarding: Forwarding
    /// Its weight; 0: it gets no new connections.
    package var weight: Int
    /// Connections in use.
    package var activeConnections: UInt32
    /// Connections that are opening, closing, or without a state, as UDP's are.
    package var inactiveConnections: UInt32
    /// Clients that persistence keeps with it.
    package var persistentConnections: UInt32

    /// How IPVS sends packets to a real server.
    package enum Forwarding: String, Codable, Sendable, Hashable, CaseIterable {
        /// By network address translation (`ipvsadm -m`).
        case nat
        /// By a tunnel (`ipvsadm -i`).
        case tunnel
        /// Directly, in the same network (`ipvsadm -g`).
        case direct
        /// To the director itself.
        case local
        /// In a way that this version has no word for.
        case other
    }

    /// A real server of these parts.
    package init(
        _ address: Address, port: UInt16 = 0, forwarding: Forwarding = .nat, weight: Int = 1, activeConnections: UInt32 = 0,
        inactiveConnections: UInt32 = 0, persistentConnections: UInt32 = 0
    ) {
        (self.address, self.port, self.forwarding, self.weight) = (address, port, forwarding, weight)
        (self.activeConnections, self.inactiveConnections) = (activeConnections, inactiveConnections)
        self.persistentConnections = persistentConnections
    }
}
