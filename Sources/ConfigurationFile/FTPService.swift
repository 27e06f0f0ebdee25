// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// FTP behind IPVS: control, passive and active connections.
package struct FTPService: Sendable, Hashable {
    /// How IPVS forwards packets to real servers.
    package enum Forwarding: String, Sendable, Hashable, CaseIterable { case nat, direct, tunnel }

    /// Its name, unique among services, and among translations where it has one.
    package var name: String
    /// The mark of its connections.
    package var mark: Mark
    /// The virtual addresses.
    package var addresses: [Prefix]
    /// The ports of control connections.
    package var controlPorts: [UInt16]
    /// The ports that the FTP servers announce for passive data connections.
    package var passivePorts: PortRange
    /// How IPVS forwards.
    package var forwarding: Forwarding
    /// Active data connections; nil: not served.
    package var active: Active?

    /// Active data connections.
    package struct Active: Sendable, Hashable {
        /// The networks of the real servers; empty with direct routing and tunnels, where nothing is translated.
        package var realServers: [Prefix]
        /// The ports that data connections come from.
        package var dataPorts: [UInt16]
        /// What their source becomes.
        package var to: Translation

        /// Data connections of these servers.
        package init(realServers: [Prefix], dataPorts: [UInt16] = [20], to: Translation = .masquerade) {
            (self.realServers, self.dataPorts, self.to) = (realServers, dataPorts, to)
        }

        /// What the source of data connections becomes.
        package enum Translation: Sendable, Hashable {
            /// An address of the outgoing interface.
            case masquerade
            /// The address, usually the virtual one.
            case address(Address)
            /// The virtual address that the client called, by connection tracking.
            case virtualAddress
        }
    }

    /// A service of these parts.
    package init(
        name: String, mark: Mark, addresses: [Prefix], controlPorts: [UInt16] = [21], passivePorts: PortRange,
        forwarding: Forwarding = .nat, active: Active? = nil
    ) {
        self.name = name
        self.mark = mark
        self.addresses = addresses
        self.controlPorts = controlPorts
        self.passivePorts = passivePorts
        self.forwarding = forwarding
        self.active = active
    }

    /// Whether data connections are translated to the address that the client called.
    package var followsConnections: Bool { forwarding == .nat && active?.to == .virtualAddress }

    /// The marks that it needs. Where packets go to real servers unchanged, clients' answers to active data connections arrive
    /// at the virtual address' data port and must be marked as well.
    package var service: Service {
        let answers = forwarding == .nat ? [] : active?.dataPorts ?? []
        // Every port needs no match, and nothing beside it.
        let ports = passivePorts == .all ? [.all] : (controlPorts + answers).map { PortRange($0) } + [passivePorts]
        return Service(
            name: name, mark: mark, addresses: Selection(addresses), traffic: Traffic(tcp: ports), savesMark: followsConnections)
    }

    /// The translation that it needs; nil where nothing is translated.
    package var masquerade: Masquerade? {
        guard forwarding == .nat, let active else { return nil }
        let to: Masquerade.Translation =
            switch active.to {
            case .masquerade: .masquerade
            case .address(let address): .addresses(address, address)
            case .virtualAddress: .virtualAddresses(addresses.map(\.address), mark)
            }
        return Masquerade(
            name: name, sources: Selection(active.realServers), sourceTraffic: Traffic(tcp: active.dataPorts.map { PortRange($0) }),
            to: to)
    }
}
