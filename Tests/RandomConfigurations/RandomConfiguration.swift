// SPDX-License-Identifier: GPL-2.0-or-later
package import ConfigurationFile
import RandomNumbers
import Rules

/// Configurations that use every word of the language, with everything in them that can make two rules concern one packet: prefixes of
/// any length inside of one another, several services on one address, ranges that overlap, masked marks, exclusions, interfaces, MAC
/// addresses, hooks.
///
/// Each is one that the reader could return: an entry that can never match, or that says what it may not say, is left out.
package struct RandomConfiguration {
    var numbers: SeededNumbers
    let isDense: Bool
    let isCrowded: Bool
    let clusters: [UInt128]
    /// Which words may be used.
    let words: Words

    /// Which words may be used.
    package enum Words: Sendable {
        /// Addresses, ports, marks, one interface, translations by source and destination.
        case plain
        /// The whole language.
        case all
    }

    /// Configurations that the seed alone decides.
    ///
    /// - Parameter isCrowded: whether all services share a few addresses, with many different ports.
    package init(seed: UInt64, isCrowded: Bool = false, words: Words = .all) {
        self.isCrowded = isCrowded
        self.words = words
        var numbers = SeededNumbers(seed)
        isDense = Bool.random(using: &numbers)
        clusters = (0..<Int.random(in: 1...3, using: &numbers)).map { _ in
            UInt128(numbers.next()) << 64 | UInt128(numbers.next())
        }
        self.numbers = numbers
    }

    /// A configuration of up to so many services and masquerades.
    ///
    /// - Parameter allowsConflicts: whether one packet may get two different marks, so that their order matters, and whether a
    ///   translation may never decide. `load` never returns the like.
    package mutating func configuration(services: Int, masquerades: Int, allowsConflicts: Bool) -> Configuration {
        var configuration = Configuration()
        if words == .all && chance(3) { configuration.daemon.hookPosition = .last }
        for index in 0..<Int.random(in: 0...services, using: &numbers) {
            let before = configuration
            if chance(5) {
                configuration.ftp.append(ftp("f\(index)"))
            } else {
                configuration.services.append(service("s\(index)"))
            }
            if !allowsConflicts && !MarkConflicts.find(in: configuration.allServices).isEmpty { configuration = before }
        }
        let names = configuration.allServices.map(\.name)
        for index in 0..<Int.random(in: 0...masquerades, using: &numbers) {
            configuration.masquerades.append(masquerade("m\(index)", names))
        }
        return allowsConflicts ? configuration : configuration.withoutShadows()
    }

    // MARK: - Entries

    mutating func service(_ name: String) -> Service {
        var service = Service(name: name, mark: mark(), addresses: Selection(prefixes()), traffic: traffic())
        guard words == .all else {
            if chance(2) { service.inInterfaces = Selection([interface()]) }
            return service
        }
        if chance(4) { service.addresses = selection(service.addresses.included) }
        if chance(3) { service.sources = selection(prefixes(), families: service.addresses) }
        if chance(6) { service.hooks = hooks() }
        if !service.hooks.contains(.output) {
            if chance(3) { service.inInterfaces = interfaces() }
            if chance(5) { service.sourceMACs = macs() }
        }
        return service.canMatch
            ? service : Service(name: name, mark: service.mark, addresses: Selection(prefixes()), traffic: traffic())
    }

    mutating func ftp(_ name: String) -> FTPService {
        let family: Family = chance(2) ? .ipv4 : .ipv6
        var ftp = FTPService(
            name: name, mark: mark(), addresses: [prefix(family)], controlPorts: [range().lower], passivePorts: range())
        if ftp.passivePorts == PortRange(1, 65535) { ftp.passivePorts = .all }
        if words == .all && chance(3) { ftp.controlPorts.append(range().lower) }
        if words == .all && chance(4) { ftp.forwarding = chance(2) ? .direct : .tunnel }
        guard chance(2) else { return ftp }
        var active = FTPService.Active(realServers: [prefix(family)], dataPorts: [range().lower])
        if words == .all && chance(3) { active.dataPorts.append(range().lower) }
        switch Int.random(in: 0..<(words == .all ? 3 : 2), using: &numbers) {
        case 0: break
        case 1: active.to = .address(address(family))
        default:
            ftp.addresses = [Prefix(ftp.addresses[0].address)]
            active.to = .virtualAddress
        }
        if ftp.forwarding != .nat { active = FTPService.Active(realServers: [], dataPorts: active.dataPorts) }
        ftp.active = active
        return ftp
    }

    mutating func masquerade(_ name: String, _ services: [String]) -> Masquerade {
        let family: Family = chance(2) ? .ipv4 : .ipv6
        var entry = Masquerade(
            name: name, sources: Selection((0..<Int.random(in: 1...3, using: &numbers)).map { _ in prefix(family) }),
            sourceTraffic: chance(2) ? Traffic() : ports())
        if chance(2) {
            let some = (0..<Int.random(in: 1...4, using: &numbers)).map { _ in prefix(family) }
            entry.destinations = chance(2) ? Selection(some) : Selection([], excluding: some)
            if words == .all && chance(3) { entry.destinations = selection(some) }
        }
        entry.to = chance(2) ? .masquerade : .addresses(address(family), address(family))
        if case .addresses(let first, _) = entry.to { entry.to = .addresses(first, first) }
        guard words == .all else {
            if chance(2) { entry.outInterfaces = Selection([interface()]) }
            return entry
        }
        if chance(3) { entry.outInterfaces = interfaces() }
        if chance(4) { entry.sources = selection(entry.sources.included) }
        if chance(4), !services.isEmpty {
            entry.services = (0..<Int.random(in: 1...2, using: &numbers)).map { _ in
                services[Int.random(in: 0..<services.count, using: &numbers)]
            }
            if chance(2) { entry.sources = Selection() }
        }
        if chance(3) {
            entry.destinationTraffic = ports()
            if !entry.sourceTraffic.isEmpty { entry.destinationTraffic = ports(of: entry.sourceTraffic) }
        }
        switch Int.random(in: 0..<6, using: &numbers) {
        case 0: entry.to = .unchanged
        case 1:
            let (one, other) = (address(family), address(family))
            entry.to = .addresses(min(one, other), max(one, other))
        default: break
        }
        if entry.to != .unchanged && chance(4) { entry.isRandom = true }
        return entry.canMatch ? entry : Masquerade(name: name, sources: Selection([prefix(family)]))
    }
}

extension Configuration {
    /// The configuration without entries that never translate, though they are there to do so.
    fileprivate func withoutShadows() -> Configuration {
        var result = self
        while let shadow = ShadowedTranslations.find(in: result.allMasquerades, services: result.allServices).last {
            let translating = result.allMasquerades.count - result.masquerades.count
            if shadow.later >= translating {
                result.masquerades.remove(at: shadow.later - translating)
            } else {
                let name = result.allMasquerades[shadow.later].name
                result.ftp.removeAll { $0.name == name }
            }
        }
        return result
    }
}
