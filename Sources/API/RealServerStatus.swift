// SPDX-License-Identifier: GPL-2.0-or-later
/// A real server of a virtual service of IPVS.
package struct RealServerStatus: Codable, Sendable, Hashable {
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

    /// The address.
    package var address: String
    /// The port; 0: the one that the client called, as is usual with marks.
    package var port: UInt16
    /// How packets are sent to it.
    package var forwarding: Forwarding
    /// Its weight; 0: it gets no new connections.
    package var weight: Int
    /// Connections in use.
    package var activeConnections: UInt32
    /// Connections that are over and not yet forgotten.
    package var inactiveConnections: UInt32
    /// Clients that persistence keeps with it.
    package var persistentConnections: UInt32

    /// A real server of these parts.
    package init(
        address: String, port: UInt16, forwarding: Forwarding, weight: Int, activeConnections: UInt32 = 0,
        inactiveConnections: UInt32 = 0, persistentConnections: UInt32 = 0
    ) {
        self.address = address
        self.port = port
        self.forwarding = forwarding
        self.weight = weight
        self.activeConnections = activeConnections
        self.inactiveConnections = inactiveConnections
        self.persistentConnections = persistentConnections
    }
}
