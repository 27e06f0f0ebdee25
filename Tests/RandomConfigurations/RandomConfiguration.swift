package import ConfigurationFile
import Rules

/// SplitMix64: the same numbers in every run, so that a failure can be looked at again.
package struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    /// The numbers that belong to the seed.
    package init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

    /// The next 64 bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Configurations with everything in them that can make two rules concern one packet: prefixes of any length inside of one
/// another, several services on one address, ranges that overlap, masked marks, interfaces, inverted destinations.
package struct RandomConfiguration {
    private var numbers: SeededNumbers
    private let isDense: Bool
    private let isCrowded: Bool
    private let clusters: [UInt128]

    /// Configurations that the seed alone decides.
    ///
    /// - Parameter isCrowded: whether all services share a few addresses, with many different ports.
    package init(seed: UInt64, isCrowded: Bool = false) {
        self.isCrowded = isCrowded
        var numbers = SeededNumbers(seed)
        isDense = Bool.random(using: &numbers)
        clusters = (0..<Int.random(in: 1...3, using: &numbers)).map { _ in
            UInt128(numbers.next()) << 64 | UInt128(numbers.next())
        }
        self.numbers = numbers
    }

    /// A configuration of up to so many services and masquerades.
    ///
    /// - Parameter allowsConflicts: whether one packet may get two different marks, so that their order matters. `load` never
    ///   returns the like.
    package mutating func configuration(services: Int, masquerades: Int, allowsConflicts: Bool) -> Configuration {
        var configuration = Configuration()
        for index in 0..<Int.random(in: 0...services, using: &numbers) {
            let before = configuration
            if Int.random(in: 0..<5, using: &numbers) == 0 {
                configuration.ftp.append(ftp("f\(index)"))
            } else {
                configuration.services.append(service("s\(index)"))
            }
            if !allowsConflicts && configuration.hasMarkConflicts { configuration = before }
        }
        for index in 0..<Int.random(in: 0...masquerades, using: &numbers) {
            configuration.masquerades.append(masquerade("m\(index)"))
        }
        return configuration
    }

    private mutating func service(_ name: String) -> Service {
        let interface = Bool.random(using: &numbers) ? nil : interface()
        return Service(
            name: name, mark: mark(), addresses: prefixes(), ports: ports(orNone: false), inInterface: interface, position: here)
    }

    private mutating func ftp(_ name: String) -> FTPService {
        let family: Family = Bool.random(using: &numbers) ? .ipv4 : .ipv6
        return FTPService(
            name: name, mark: mark(), addresses: [prefix(family)], controlPort: range().lower, passivePorts: range(),
            active: Bool.random(using: &numbers)
                ? nil : .init(realServers: [prefix(family)], dataPort: range().lower, to: translation(family)),
            position: here)
    }

    private mutating func masquerade(_ name: String) -> Masquerade {
        let family: Family = Bool.random(using: &numbers) ? .ipv4 : .ipv6
        let sources = (0..<Int.random(in: 1...3, using: &numbers)).map { _ in prefix(family) }
        var destinations: [AddressMatch] = []
        if Bool.random(using: &numbers) {
            for _ in 0..<Int.random(in: 1...4, using: &numbers) {
                destinations.append(AddressMatch(prefix(family), isInverted: Bool.random(using: &numbers)))
            }
        }
        return Masquerade(
            name: name, sources: sources, ports: ports(orNone: true), destinations: destinations,
            outInterface: Bool.random(using: &numbers) ? nil : interface(), to: translation(family), position: here)
    }

    private mutating func translation(_ family: Family) -> SourceTranslation {
        Bool.random(using: &numbers)
            ? .masquerade : .address(Address(family: family, bits: UInt128(Int.random(in: 1...9, using: &numbers))))
    }

    private mutating func mark() -> Mark {
        let masks: [UInt32] = [.max, .max, 0xff, 0xff00, 0xf0f0, 0x8000_0000]
        let mask = masks.randomElement(using: &numbers) ?? .max
        let value = UInt32.random(in: 1...3, using: &numbers) &* 0x8101_1111 & mask
        return (try? Mark(value, mask: mask)) ?? (try? Mark(mask, mask: mask)) ?? { preconditionFailure("a mask is a mark") }()
    }

    private mutating func prefixes() -> [Prefix] {
        (0..<Int.random(in: 1...3, using: &numbers)).map { _ in prefix(Bool.random(using: &numbers) ? .ipv4 : .ipv6) }
    }

    /// A prefix in one of a few clusters, so that many overlap and share bits.
    private mutating func prefix(_ family: Family) -> Prefix {
        let width = family.bitWidth
        if isCrowded {
            let length = Bool.random(using: &numbers) ? width : width - 8
            return Prefix(containing: Address(family: family, bits: clusters[0] >> UInt128(128 - width)), length: length)
        }
        var bits = (clusters.randomElement(using: &numbers) ?? 0) >> UInt128(128 - width)
        let window = isDense ? 6 : 14
        let start = Int.random(in: 0...width - window, using: &numbers) / window * window
        bits ^= UInt128(UInt64.random(in: 0..<1 << UInt64(window), using: &numbers)) << UInt128(start)
        let length = Bool.random(using: &numbers) ? width : Int.random(in: isDense ? width - 8...width : 0...width, using: &numbers)
        return Prefix(containing: Address(family: family, bits: bits), length: length)
    }

    private mutating func ports(orNone: Bool) -> [TransportProtocol: [PortRange]] {
        var ports: [TransportProtocol: [PortRange]] = [:]
        if orNone && Bool.random(using: &numbers) { return ports }
        for transport in TransportProtocol.allCases where Bool.random(using: &numbers) { ports[transport] = ranges() }
        return ports.isEmpty && !orNone ? [.tcp: ranges()] : ports
    }

    private mutating func ranges() -> [PortRange] {
        let most = Int.random(in: 0..<20, using: &numbers) == 0 ? 24 : 3
        return (0..<Int.random(in: 1...most, using: &numbers)).map { _ in range() }
    }

    private mutating func range() -> PortRange {
        let lower = UInt16.random(in: 1...(isCrowded ? 60000 : 40), using: &numbers)
        if isCrowded {
            let width: UInt16 = [0, 0, 0, 1, 3, 15, 900].randomElement(using: &numbers) ?? 0
            return PortRange(lower, lower + UInt16.random(in: 0...width, using: &numbers))
        }
        switch Int.random(in: 0..<8, using: &numbers) {
        case 0: return PortRange(1, 65535)
        case 1: return PortRange(65535)
        case 2, 3: return PortRange(lower, lower + UInt16.random(in: 1...9, using: &numbers))
        default: return PortRange(lower)
        }
    }

    private mutating func interface() -> InterfacePattern? {
        try? InterfacePattern(parsing: ["eth0", "eth+", "wan0", "+"].randomElement(using: &numbers) ?? "eth0")
    }
}

private let here = SourcePosition(file: "random.yaml", line: 1, column: 1)
