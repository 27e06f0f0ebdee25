// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

extension TableDraft {
    /// Adds the rules that give control connections the connection tracking helper for FTP, where data connections are translated to
    /// the address that the client called.
    mutating func addHelpers(of services: [FTPService]) {
        let all = services.span
        for owner in all.indices where all[owner].active?.to == .virtualAddress {
            let service = services[owner]
            guard service.followsConnections else { continue }
            guard let placed = AddressChoice(Selection(service.addresses), id.family) else { continue }
            let control = Traffic(tcp: service.controlPorts.map { PortRange($0) })
            let rules = OwnRules(
                name: service.name, owner: Int32(owner), placed: placed, traffic: traffic(from: Traffic(), to: control),
                alternatives: Alternatives(), targets: [.helper("ftp")])
            rules.add(to: &self, [0])
        }
    }
}
