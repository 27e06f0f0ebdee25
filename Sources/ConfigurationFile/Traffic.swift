// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// Which protocols and ports.
package struct Traffic: Sendable, Hashable {
    /// TCP ports; empty: no TCP; `[.all]`: TCP whole, without a port match.
    package var tcp: [PortRange]
    /// UDP ports; empty: no UDP; `[.all]`: UDP whole, fragments too.
    package var udp: [PortRange]
    /// SCTP ports; empty: no SCTP; `[.all]`: SCTP whole.
    package var sctp: [PortRange]
    /// Other protocols whole, by number.
    package var protocols: [UInt8]
    /// `protocols: any`: every packet.
    package var isEverything: Bool

    /// Traffic of these protocols and ports.
    package init(
        tcp: [PortRange] = [], udp: [PortRange] = [], sctp: [PortRange] = [], protocols: [UInt8] = [], isEverything: Bool = false
    ) {
        (self.tcp, self.udp, self.sctp, self.protocols, self.isEverything) = (tcp, udp, sctp, protocols, isEverything)
    }

    /// Whether nothing was written. A service needs something; for a translation it means every packet.
    package var isEmpty: Bool { tcp.isEmpty && udp.isEmpty && sctp.isEmpty && protocols.isEmpty && !isEverything }

    /// The ports of a protocol; empty: none.
    package subscript(transport: TransportProtocol) -> [PortRange] {
        get {
            switch transport {
            case .tcp: tcp
            case .udp: udp
            case .sctp: sctp
            }
        }
        set {
            switch transport {
            case .tcp: tcp = newValue
            case .udp: udp = newValue
            case .sctp: sctp = newValue
            }
        }
    }
}
