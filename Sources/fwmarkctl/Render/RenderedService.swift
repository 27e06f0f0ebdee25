// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A virtual service of IPVS that the configuration calls for: all that has one mark, in one family.
struct RenderedService {
    /// The mark as IPVS compares it: all 32 bits.
    var mark: UInt32
    /// Its addresses' family; IPVS has a service for each.
    var family: Family
    /// The names of the services that set the mark, in the order of the file.
    var names: [String] = []
    /// The first port that a client connects to, where a check of the real servers may knock.
    var entrance: Entrance
    /// The real servers, as far as the file names them one by one.
    var realServers: [Address] = []
    /// Whether the mark is set under a mask, so that bits of other programs' can keep IPVS from seeing it.
    var isMasked = false
    /// How IPVS forwards, as far as the file says.
    var forwarding = FTPService.Forwarding.nat

    /// How long IPVS keeps a client at one real server, in seconds. Without it a client's connections to several ports come to
    /// several servers.
    static let persistence = 300

    /// The virtual services of a configuration, in the order in which their marks first appear.
    static func all(of configuration: Configuration) -> [RenderedService] {
        var services: [RenderedService] = []
        var places: [Key: Int] = [:]
        func add(_ service: Service, _ realServers: [Prefix], _ forwarding: FTPService.Forwarding = .nat) {
            let named = service.addresses.included
            for family in Family.allCases where named.isEmpty || named.contains(where: { $0.family == family }) {
                let key = Key(mark: service.mark.value, family: family)
                let place = places[key] ?? services.count
                if place == services.count {
                    places[key] = place
                    services.append(RenderedService(mark: key.mark, family: family, entrance: Entrance(service)))
                }
                services[place].names.append(service.name)
                if forwarding != .nat { services[place].forwarding = forwarding }
                for server in realServers where server.family == family && server.length == family.bitWidth {
                    if !services[place].realServers.contains(server.address) { services[place].realServers.append(server.address) }
                }
                if service.mark.mask != .max { services[place].isMasked = true }
            }
        }
        for ftp in configuration.ftp { add(ftp.service, ftp.active?.realServers ?? [], ftp.forwarding) }
        for service in configuration.services { add(service, []) }
        return services
    }

    private struct Key: Hashable {
        var mark: UInt32
        var family: Family
    }

    /// Where a check of the real servers may knock: a port of a protocol, or nowhere.
    struct Entrance {
        var transport: TransportProtocol?
        var port: UInt16

        /// The first port of the service; TCP before the others. Nowhere if it has none, or whole protocols.
        fileprivate init(_ service: Service) {
            let traffic = service.traffic
            transport = TransportProtocol.allCases.first { (traffic[$0].first ?? .all) != .all }
            port = transport.flatMap { traffic[$0].first?.lower } ?? 0
        }
    }

    /// What a person has to know beside what is rendered.
    ///
    /// - Parameter realServer: what has to be written for a real server, where a place for it is not in the text.
    func notes(_ realServer: String?) -> [String] {
        let name = names.joined(separator: ", ")
        var notes: [String] = []
        if realServers.isEmpty {
            notes.append(
                "\(name): the file names no real servers of mark \(mark) for \(family == .ipv4 ? "IPv4" : "IPv6"); put yours in"
                    + (realServer.map { ", each as \"\($0)\"" } ?? ""))
        }
        if isMasked {
            notes.append(
                "\(name): IPVS compares all 32 bits of a mark; packets that bear other bits beside \(mark) do not match")
        }
        return notes
    }
}
