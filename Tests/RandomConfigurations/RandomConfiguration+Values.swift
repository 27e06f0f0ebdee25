// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import RandomNumbers
package import Rules

extension RandomConfiguration {
    /// True once in so many times.
    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &numbers) == 0 }

    mutating func mark() -> Mark {
        let masks: [UInt32] = [.max, .max, 0xff, 0xff00, 0xf0f0, 0x8000_0000]
        let mask = masks.randomElement(using: &numbers) ?? .max
        let value = UInt32.random(in: 1...3, using: &numbers) &* 0x8101_1111 & mask
        return (try? Mark(value, mask: mask)) ?? (try? Mark(mask, mask: mask)) ?? { preconditionFailure("a mask is a mark") }()
    }

    // MARK: - Addresses

    mutating func prefixes() -> [Prefix] {
        (0..<Int.random(in: 1...3, using: &numbers)).map { _ in prefix(chance(2) ? .ipv4 : .ipv6) }
    }

    mutating func address(_ family: Family) -> Address {
        Address(family: family, bits: UInt128(Int.random(in: 1...9, using: &numbers)))
    }

    /// A prefix in one of a few clusters, so that many overlap and share bits.
    mutating func prefix(_ family: Family) -> Prefix {
        let width = family.bitWidth
        if isCrowded {
            let length = chance(2) ? width : width - 8
            return Prefix(containing: Address(family: family, bits: clusters[0] >> UInt128(128 - width)), length: length)
        }
        var bits = (clusters.randomElement(using: &numbers) ?? 0) >> UInt128(128 - width)
        let window = isDense ? 6 : 14
        let start = Int.random(in: 0...width - window, using: &numbers) / window * window
        bits ^= UInt128(UInt64.random(in: 0..<1 << UInt64(window), using: &numbers)) << UInt128(start)
        let length = chance(2) ? width : Int.random(in: isDense ? width - 8...width : 0...width, using: &numbers)
        return Prefix(containing: Address(family: family, bits: bits), length: length)
    }

    /// Some of these prefixes, and exclusions: of prefixes inside of them, or of anything.
    mutating func selection(_ included: [Prefix], families other: Selection<Prefix>? = nil) -> Selection<Prefix> {
        var excluded: [Prefix] = []
        for _ in 0..<Int.random(in: 0...3, using: &numbers) {
            if chance(2), let outer = included.randomElement(using: &numbers), outer.length < outer.family.bitWidth {
                let length = Int.random(in: outer.length + 1...outer.family.bitWidth, using: &numbers)
                let noise = UInt128(numbers.next()) << 64 | UInt128(numbers.next())
                let inside = outer.address.bits | (noise & (outer.last.bits ^ outer.address.bits))
                excluded.append(Prefix(containing: Address(family: outer.family, bits: inside), length: length))
            } else {
                excluded.append(prefix(chance(2) ? .ipv4 : .ipv6))
            }
        }
        var selection = Selection(chance(4) ? [] : included, excluding: excluded)
        if let other, !other.included.isEmpty {
            // Of families that the other list has alone.
            selection.included.removeAll { prefix in !other.included.contains { $0.family == prefix.family } }
        }
        // An entry that is excluded whole could not be in a file.
        selection.included.removeAll { prefix in AddressSet.isExcluded(prefix, by: selection.excluded) }
        return selection
    }

    // MARK: - Traffic

    /// What a service is about.
    mutating func traffic() -> Traffic {
        guard words == .all else { return ports() }
        if chance(12) { return Traffic(isEverything: true) }
        var traffic = chance(4) ? Traffic() : ports()
        for transport in TransportProtocol.allCases where chance(12) { traffic[transport] = [.all] }
        if traffic.isEmpty || chance(5) {
            traffic.protocols = (0..<Int.random(in: 1...2, using: &numbers)).map { _ in
                [1, 47, 50, 51, 58][Int.random(in: 0..<5, using: &numbers)]
            }
        }
        return traffic
    }

    /// Ports of at least one protocol.
    mutating func ports() -> Traffic {
        var traffic = Traffic()
        for transport in TransportProtocol.allCases where chance(2) { traffic[transport] = ranges() }
        if traffic.isEmpty { traffic.tcp = ranges() }
        return traffic
    }

    /// Ports of the protocols that the other has.
    mutating func ports(of other: Traffic) -> Traffic {
        var traffic = Traffic()
        for transport in TransportProtocol.allCases where !other[transport].isEmpty {
            traffic[transport] = chance(3) ? [.all] : ranges()
        }
        return traffic
    }

    mutating func ranges() -> [PortRange] {
        let most = chance(20) ? 24 : 3
        let ranges = (0..<Int.random(in: 1...most, using: &numbers)).map { _ in range() }
        // As the reader has it: every port is no match, and covers all others of the list.
        return ranges.contains(PortRange(1, 65535)) ? [.all] : ranges
    }

    mutating func range() -> PortRange {
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

    // MARK: - Hooks, interfaces, senders

    mutating func hooks() -> [Hook] {
        let hooks = [Hook.prerouting, .input, .output].filter { _ in chance(2) }
        return hooks.isEmpty ? [.prerouting] : hooks
    }

    mutating func interface() -> InterfacePattern {
        let names = ["eth0", "eth+", "wan0", words == .all ? "eth1" : "+"]
        guard let pattern = try? InterfacePattern(parsing: names.randomElement(using: &numbers) ?? "eth0") else {
            preconditionFailure("these are names")
        }
        return pattern
    }

    mutating func interfaces() -> Selection<InterfacePattern> {
        let some = (0..<Int.random(in: 1...2, using: &numbers)).map { _ in interface() }
        switch Int.random(in: 0..<3, using: &numbers) {
        case 0: return Selection(some)
        case 1: return Selection([], excluding: some)
        default:
            let excluded = [interface()]
            return Selection(some.filter { pattern in !excluded.contains { $0.covers(pattern) } }, excluding: excluded)
        }
    }

    mutating func macs() -> Selection<MACAddress> {
        let all = (1...3).map { MACAddress(bits: 0x0200_5e10_0000 + UInt64($0)) }
        let some = all.filter { _ in chance(2) }
        if some.isEmpty { return Selection([], excluding: [all[0]]) }
        return chance(2) ? Selection(some) : Selection([], excluding: some)
    }
}

extension InterfacePattern {
    /// Whether all that the other means is meant by this one.
    fileprivate func covers(_ other: InterfacePattern) -> Bool {
        isPrefix ? other.name.hasPrefix(name) : !other.isPrefix && other.name == name
    }
}

/// What a list of prefixes leaves, by the simplest means.
package enum AddressSet {
    /// Whether all of the prefix is excluded: by one that holds it, or by two halves of it.
    package static func isExcluded(_ prefix: Prefix, by excluded: [Prefix]) -> Bool {
        if excluded.contains(where: { $0.contains(prefix) }) { return true }
        guard prefix.length < prefix.family.bitWidth, excluded.contains(where: { prefix.contains($0) }) else { return false }
        let low = Prefix(containing: prefix.address, length: prefix.length + 1)
        let high = Prefix(containing: prefix.last, length: prefix.length + 1)
        return isExcluded(low, by: excluded) && isExcluded(high, by: excluded)
    }

    /// Whether packets of the family can match.
    static func has(_ family: Family, _ selection: Selection<Prefix>) -> Bool {
        let everything = Prefix(containing: Address(family: family, bits: 0), length: 0)
        let included = selection.included.isEmpty ? [everything] : selection.included.filter { $0.family == family }
        return included.contains { !isExcluded($0, by: selection.excluded) }
    }
}

extension Service {
    /// Whether the reader would take it: each entry has something to match.
    var canMatch: Bool {
        Family.allCases.allSatisfy { family in
            let (own, others) = (AddressSet.has(family, addresses), AddressSet.has(family, sources))
            let isNamed = addresses.included.contains { $0.family == family }
            let isSourceNamed = sources.included.contains { $0.family == family }
            return (!isNamed || others) && (!isSourceNamed || own)
        } && Family.allCases.contains { AddressSet.has($0, addresses) && AddressSet.has($0, sources) }
    }
}

extension Masquerade {
    /// Whether the reader would take it: each entry has something to match, and what it says can be.
    var canMatch: Bool {
        guard !(sources.isEmpty && services.isEmpty && destinations.isEmpty) else { return false }
        return Family.allCases.allSatisfy { family in
            let (own, others) = (AddressSet.has(family, sources), AddressSet.has(family, destinations))
            let isNamed = sources.included.contains { $0.family == family }
            let isDestinationNamed = destinations.included.contains { $0.family == family }
            if case .addresses(let address, _) = to, address.family != family, isNamed || isDestinationNamed { return false }
            return (!isNamed || others) && (!isDestinationNamed || own)
        } && Family.allCases.contains { AddressSet.has($0, sources) && AddressSet.has($0, destinations) }
    }
}
