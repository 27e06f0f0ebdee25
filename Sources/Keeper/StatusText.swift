// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import Rules

extension ServiceStatus {
    /// The service as the sockets describe it, without what it has seen.
    init(_ service: Service) {
        self.init(
            name: service.name, mark: service.mark.description, addresses: service.addresses.texts(text),
            ports: service.traffic.texts, sources: service.sources.texts(text),
            sourceMacs: service.sourceMACs.texts(\.description), inInterfaces: service.inInterfaces.texts(\.description),
            hooks: service.hooks.map(\.rawValue))
    }
}

extension MasqueradeStatus {
    /// The translation as the sockets describe it, without what it has seen.
    init(_ masquerade: Masquerade) {
        self.init(
            name: masquerade.name, sources: masquerade.sources.texts(text), services: masquerade.services,
            ports: masquerade.sourceTraffic.texts, destinationPorts: masquerade.destinationTraffic.texts,
            destinations: masquerade.destinations.texts(text), outInterfaces: masquerade.outInterfaces.texts(\.description),
            to: masquerade.to.text, isRandom: masquerade.isRandom)
    }
}

extension Masquerade.Translation {
    /// As the file writes it; the address itself for `virtual-address`.
    fileprivate var text: String {
        switch self {
        case .masquerade: "masquerade"
        case .unchanged: "unchanged"
        case .addresses(let first, let last): first == last ? "\(first)" : "\(first)-\(last)"
        case .virtualAddresses(let addresses, _): addresses.map(\.description).joined(separator: ", ")
        }
    }
}

extension Selection {
    /// The entries as the file writes them.
    fileprivate func texts(_ text: (Element) -> String) -> [String] {
        included.map(text) + excluded.map { "!" + text($0) }
    }
}

extension Traffic {
    /// As `tcp/21`, `tcp/10000-20000`, `udp/any`, `esp`, `any`.
    fileprivate var texts: [String] {
        if isEverything { return ["any"] }
        let ports = TransportProtocol.allCases.flatMap { transport in
            self[transport].map { $0 == .all ? "\(transport)/any" : "\(transport)/\($0)" }
        }
        return ports + protocols.map { number in ProtocolMatch.names.first { $0.number == number }?.name ?? "\(number)" }
    }
}

/// The network as people write it: a single address without its length.
private func text(_ prefix: Prefix) -> String {
    prefix.length == prefix.family.bitWidth ? prefix.address.description : prefix.description
}
