// SPDX-License-Identifier: GPL-2.0-or-later
/// A service and what it has seen.
package struct ServiceStatus: Codable, Sendable, Hashable {
    /// Its name.
    package var name: String
    /// Its mark: decimal, or value and mask in hexadecimal.
    package var mark: String
    /// Its virtual addresses, with a prefix length where they are networks; "!" before those that are left out.
    package var addresses: [String]
    /// Its protocols and ports: `tcp/21`, `tcp/10000-20000`, `udp/any`, `esp`, `any`.
    package var ports: [String]
    /// The sources of its packets; empty: any.
    package var sources: [String]
    /// The senders' hardware addresses; empty: any.
    package var sourceMacs: [String]
    /// The interfaces its packets come in by; empty: any.
    package var inInterfaces: [String]
    /// Where the mark is set: `prerouting`, `input`, `output`.
    package var hooks: [String]
    /// Packets that got the mark from its rules since these were made.
    package var packets: UInt64
    /// Their bytes, IP headers included.
    package var bytes: UInt64
    /// IPVS' virtual services on its mark, one a family; empty where there are none or `ipvsError` says why not.
    package var virtualServices: [VirtualServiceStatus]
    /// What IPVS lacks for it, a sentence each.
    package var warnings: [String]

    /// A status of these parts.
    package init(
        name: String, mark: String, addresses: [String], ports: [String], sources: [String] = [], sourceMacs: [String] = [],
        inInterfaces: [String] = [], hooks: [String] = ["prerouting"], packets: UInt64 = 0, bytes: UInt64 = 0,
        virtualServices: [VirtualServiceStatus] = [], warnings: [String] = []
    ) {
        self.name = name
        self.mark = mark
        self.addresses = addresses
        self.ports = ports
        self.sources = sources
        self.sourceMacs = sourceMacs
        self.inInterfaces = inInterfaces
        self.hooks = hooks
        self.packets = packets
        self.bytes = bytes
        self.virtualServices = virtualServices
        self.warnings = warnings
    }
}
