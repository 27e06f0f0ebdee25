// SPDX-License-Identifier: GPL-2.0-or-later
/// The packet that an explanation is about: the first of its connection, without a mark.
package struct ExplainedPacket: Codable, Sendable, Hashable {
    /// The transport protocol, by name (`tcp`) or number (`47`).
    package var transport: String
    /// Where it comes from.
    package var source: String
    /// Its source port; absent for protocols without ports.
    package var sourcePort: UInt16?
    /// Where it goes.
    package var destination: String
    /// Its destination port; absent for protocols without ports.
    package var destinationPort: UInt16?
    /// The hook at which it enters: `prerouting`, `input` or `output`.
    package var hook: String
    /// The interface that it comes in by; absent: not given.
    package var inInterface: String?
    /// The interface that it leaves by; absent: not given.
    package var outInterface: String?

    /// A packet of these parts.
    package init(
        transport: String, source: String, sourcePort: UInt16? = nil, destination: String, destinationPort: UInt16? = nil,
        hook: String, inInterface: String? = nil, outInterface: String? = nil
    ) {
        self.transport = transport
        self.source = source
        self.sourcePort = sourcePort
        self.destination = destination
        self.destinationPort = destinationPort
        self.hook = hook
        self.inInterface = inInterface
        self.outInterface = outInterface
    }

    // `protocol` is what users write, and a keyword of Swift.
    private enum CodingKeys: String, CodingKey {
        case transport = "protocol"
        case source, sourcePort, destination, destinationPort, hook, inInterface, outInterface
    }
}
