// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A source translation.
package struct Masquerade: Sendable, Hashable {
    /// What the source becomes.
    package enum Translation: Sendable, Hashable {
        /// An address of the outgoing interface.
        case masquerade
        /// One of the addresses from the first to the last; the same twice for one.
        case addresses(Address, Address)
        /// The packet is not translated, by this or any later rule.
        case unchanged
        /// Of FTP's `to: virtual-address`: the virtual addresses, at most one a family, for connections that bear the mark.
        case virtualAddresses([Address], Mark)
    }

    /// Its name, unique among translations.
    package var name: String
    /// The sources of its packets.
    package var sources: Selection<Prefix>
    /// Packets that bear the mark of these services; empty: whatever mark.
    package var services: [String]
    /// Their protocols and source ports; empty: every packet.
    package var sourceTraffic: Traffic
    /// Their protocols and destination ports; empty: every packet.
    package var destinationTraffic: Traffic
    /// Where they go.
    package var destinations: Selection<Prefix>
    /// Which interfaces they leave by.
    package var outInterfaces: Selection<InterfacePattern>
    /// What their source becomes.
    package var to: Translation
    /// Whether source ports are chosen fully at random.
    package var isRandom: Bool

    /// A translation of these parts.
    package init(
        name: String, sources: Selection<Prefix> = Selection(), services: [String] = [], sourceTraffic: Traffic = Traffic(),
        destinationTraffic: Traffic = Traffic(), destinations: Selection<Prefix> = Selection(),
        outInterfaces: Selection<InterfacePattern> = Selection(), to: Translation = .masquerade, isRandom: Bool = false
    ) {
        self.name = name
        self.sources = sources
        self.services = services
        self.sourceTraffic = sourceTraffic
        self.destinationTraffic = destinationTraffic
        self.destinations = destinations
        self.outInterfaces = outInterfaces
        self.to = to
        self.isRandom = isRandom
    }
}
