// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A multi-port service: which packets bear its mark.
package struct Service: Sendable, Hashable {
    /// Its name, unique among services and FTP services.
    package var name: String
    /// The mark its packets get.
    package var mark: Mark
    /// The virtual addresses; without any entry that has no "!", all of both families.
    package var addresses: Selection<Prefix>
    /// Its protocols and destination ports; never empty.
    package var traffic: Traffic
    /// The sources of its packets.
    package var sources: Selection<Prefix>
    /// Of which senders, by hardware address.
    package var sourceMACs: Selection<MACAddress>
    /// Which interfaces they come in by.
    package var inInterfaces: Selection<InterfacePattern>
    /// Where the mark is set: prerouting, input, output; in the kernel's order, at least one.
    package var hooks: [Hook]
    /// Whether the mark is saved as the connection's, so that data connections inherit it (`to: virtual-address`).
    package var savesMark: Bool

    /// A service of these parts.
    package init(
        name: String, mark: Mark, addresses: Selection<Prefix>, traffic: Traffic, sources: Selection<Prefix> = Selection(),
        sourceMACs: Selection<MACAddress> = Selection(), inInterfaces: Selection<InterfacePattern> = Selection(),
        hooks: [Hook] = [.prerouting], savesMark: Bool = false
    ) {
        self.name = name
        self.mark = mark
        self.addresses = addresses
        self.traffic = traffic
        self.sources = sources
        self.sourceMACs = sourceMACs
        self.inInterfaces = inInterfaces
        self.hooks = hooks
        self.savesMark = savesMark
    }
}
