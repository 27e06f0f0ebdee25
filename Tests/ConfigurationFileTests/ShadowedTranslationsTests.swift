// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import RandomConfigurations
import Rules
import Testing

@Suite("Translations that never decide")
struct ShadowedTranslationsTests {
    @Test("They are the ones that packets find, over random translations with every word", arguments: 0..<16)
    func definition(_ seed: UInt64) {
        var random = RandomConfiguration(seed: seed + 500, isCrowded: seed % 3 == 0)
        for _ in 0..<12 {
            let configuration = random.configuration(services: 4, masquerades: 8, allowsConflicts: true)
            let translations = configuration.allMasquerades
            let found = ShadowedTranslations.find(in: translations, services: configuration.allServices)
            for (later, earlier) in found.map({ ($0.later, $0.earlier) }) {
                #expect(earlier < later)
                // The one that is named takes packets of it, and all do something else with them.
                #expect(
                    translations[earlier].to != translations[later].to
                        || translations[earlier].isRandom != translations[later].isRandom)
            }
            // Whatever packet is tried: none is decided by a translation that never decides.
            let shadowed = Set(found.map(\.later))
            let deciders = Probe(translations, configuration.allServices).deciders()
            #expect(shadowed.isDisjoint(with: deciders), "\(translations)")
            // And each that is not among them decides a packet, or is taken to the same.
            for index in translations.indices where !shadowed.contains(index) && !deciders.contains(index) {
                #expect(
                    translations.prefix(index).contains {
                        $0.to == translations[index].to && $0.isRandom == translations[index].isRandom
                    }
                        || Probe.isUncertain(translations[index]), "\(index) of \(translations)")
            }
        }
    }

    @Test("Two that share real servers are distinguished by the connection's mark alone")
    func virtualAddress() throws {
        let servers = [try Prefix(parsing: "10.11.12.0/24")]
        func ftp(_ name: String, _ mark: UInt32, _ to: FTPService.Active.Translation) throws -> FTPService {
            FTPService(
                name: name, mark: try Mark(mark), addresses: [try Prefix(parsing: "203.0.113.\(mark)")],
                passivePorts: PortRange(10000, 20000), active: .init(realServers: servers, to: to))
        }
        func shadows(_ first: FTPService.Active.Translation, _ second: FTPService.Active.Translation) throws -> Int {
            let configuration = Configuration(ftp: [try ftp("a", 1, first), try ftp("b", 2, second)])
            return ShadowedTranslations.find(in: configuration.allMasquerades, services: configuration.allServices).count
        }
        let (one, other) = (Address(ipv4: 0xcb00_7101), Address(ipv4: 0xcb00_7102))
        #expect(try shadows(.address(one), .address(other)) == 1)
        #expect(try shadows(.virtualAddress, .virtualAddress) == 0)
        #expect(try shadows(.virtualAddress, .masquerade) == 0)
        #expect(try shadows(.masquerade, .virtualAddress) == 1)
        #expect(try shadows(.address(one), .address(one)) == 0)
    }
}

/// Packets at every edge of every translation, as many as a test can try.
private struct Probe {
    let translations: [Masquerade]
    let services: [Service]

    init(_ translations: [Masquerade], _ services: [Service]) {
        self.translations = translations
        self.services = services
    }

    /// Of translations that name masked marks, or several addresses, it is not known whether another one takes all.
    static func isUncertain(_ translation: Masquerade) -> Bool { !translation.services.isEmpty }

    /// The translations that decide one of the packets.
    func deciders() -> Set<Int> {
        var found: Set<Int> = []
        for (index, translation) in translations.enumerated() {
            for family in Family.allCases where !found.contains(index) {
                let sources = edges(translations.map(\.sources), family).filter { address in
                    Packets.matches(translation.sources) { $0.contains(address) }
                }
                let destinations = edges(translations.map(\.destinations), family).filter { address in
                    Packets.matches(translation.destinations) { $0.contains(address) }
                }
                search: for source in sources {
                    for destination in destinations {
                        for packet in packets(index) {
                            guard first(source, destination, packet) == index else { continue }
                            found.insert(index)
                            break search
                        }
                    }
                }
            }
        }
        return found
    }

    private struct Packet {
        var number: UInt8
        var source: UInt16
        var destination: UInt16
        var interface: String
        var marks: (packet: UInt32, connection: UInt32)
    }

    private func packets(_ index: Int) -> [Packet] {
        let translation = translations[index]
        var packets: [Packet] = []
        for number in [1, 6, 17, 132] as [UInt8] {
            let transport = TransportProtocol(number: number)
            let sources = ports(translations.map(\.sourceTraffic), transport),
                destinations = ports(translations.map(\.destinationTraffic), transport)
            for source in sources where ports(translation.sourceTraffic, number, source) {
                for destination in destinations where ports(translation.destinationTraffic, number, destination) {
                    for interface in ["eth0", "eth1", "eth", "wan0", "lo"] {
                        for mark in Set(services.map(\.mark.value) + [0]) {
                            packets.append(
                                Packet(
                                    number: number, source: source, destination: destination, interface: interface,
                                    marks: (mark, mark)))
                        }
                    }
                }
            }
        }
        return packets
    }

    private func ports(_ lists: [Traffic], _ transport: TransportProtocol?) -> Set<UInt16> {
        guard let transport else { return [0] }
        var result: Set<UInt16> = [0, 65535]
        for range in lists.flatMap({ $0[transport] }) {
            result.insert(range.lower)
            if range.upper < 65535 { result.insert(range.upper + 1) }
        }
        return result
    }

    private func ports(_ traffic: Traffic, _ number: UInt8, _ port: UInt16) -> Bool {
        if traffic.isEmpty { return true }
        guard let transport = TransportProtocol(number: number) else { return false }
        return traffic[transport].contains { $0.contains(port) }
    }

    private func first(_ source: Address, _ destination: Address, _ packet: Packet) -> Int? {
        translations.firstIndex { translation in
            switch translation.to {
            case .addresses(let address, _): guard address.family == source.family else { return false }
            case .virtualAddresses(let addresses, let mark):
                guard addresses.contains(where: { $0.family == source.family }), packet.marks.connection & mark.mask == mark.value
                else { return false }
            case .masquerade, .unchanged: break
            }
            let marks = translation.services.compactMap { name in services.first { $0.name == name }?.mark }
            return Packets.matches(translation.sources) { $0.contains(source) }
                && Packets.matches(translation.destinations) { $0.contains(destination) }
                && Packets.matches(translation.outInterfaces) { $0.matches(packet.interface) }
                && (translation.services.isEmpty || marks.contains { packet.marks.packet & $0.mask == $0.value })
                && ports(translation.sourceTraffic, packet.number, packet.source)
                && ports(translation.destinationTraffic, packet.number, packet.destination)
        }
    }

    private func edges(_ lists: [Selection<Prefix>], _ family: Family) -> Set<Address> {
        var edges: Set<Address> = [Address(family: family, bits: 0)]
        for prefix in lists.flatMap({ $0.included + $0.excluded }) where prefix.family == family {
            edges.insert(prefix.address)
            if prefix.last.bits != Prefix(containing: prefix.address, length: 0).last.bits {
                edges.insert(Address(family: family, bits: prefix.last.bits + 1))
            }
        }
        return edges
    }
}
