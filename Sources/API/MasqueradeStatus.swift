// SPDX-License-Identifier: GPL-2.0-or-later
/// A source translation and what it has seen.
package struct MasqueradeStatus: Codable, Sendable, Hashable {
    /// Its name.
    package var name: String
    /// The sources of its packets, "!" before those that are left out; empty: any.
    package var sources: [String]
    /// Only packets with the marks of these services; empty: whatever mark.
    package var services: [String]
    /// Their protocols and source ports: `tcp/20`; empty: every packet.
    package var ports: [String]
    /// Their protocols and destination ports; empty: any.
    package var destinationPorts: [String]
    /// Where they go, "!" before what is left out; empty: anywhere.
    package var destinations: [String]
    /// The interfaces they leave by; empty: any.
    package var outInterfaces: [String]
    /// What their source becomes: `masquerade`, `unchanged`, an address, or a range of addresses.
    package var to: String
    /// Whether source ports are chosen fully at random.
    package var isRandom: Bool
    /// First packets of connections that were translated by its rules since these were made.
    package var packets: UInt64
    /// Their bytes, IP headers included.
    package var bytes: UInt64

    /// A status of these parts.
    package init(
        name: String, sources: [String], services: [String] = [], ports: [String], destinationPorts: [String] = [],
        destinations: [String] = [], outInterfaces: [String] = [], to: String, isRandom: Bool = false, packets: UInt64 = 0,
        bytes: UInt64 = 0
    ) {
        self.name = name
        self.sources = sources
        self.services = services
        self.ports = ports
        self.destinationPorts = destinationPorts
        self.destinations = destinations
        self.outInterfaces = outInterfaces
        self.to = to
        self.isRandom = isRandom
        self.packets = packets
        self.bytes = bytes
    }
}
