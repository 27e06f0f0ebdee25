// SPDX-License-Identifier: GPL-2.0-or-later
import RandomConfigurations
import Rules

@testable import ConfigurationFile

extension ReferenceReader {
    mutating func name(_ node: ReferenceNode?) -> String? {
        guard let node else { return nil }
        return at("name") { $0.value(node) { (try? /[A-Za-z0-9._-]{1,64}/.wholeMatch(in: $0)) == nil ? nil : $0 } }
    }

    mutating func mark(_ node: ReferenceNode?) -> Mark? {
        guard let node else { return nil }
        return at("mark") { $0.value(node) { try? Mark(parsing: $0) } }
    }

    // MARK: - Ports

    mutating func port(_ node: ReferenceNode) -> PortRange? {
        let range = value(node) { try? PortRange(parsing: $0) }
        return range == PortRange(1, 65535) ? .all : range
    }

    mutating func ports(_ key: String, _ node: ReferenceNode?) -> [PortRange] {
        guard let node else { return [] }
        return at(key) { reader in
            if node.text == "any" { return reader.refuses(node) ? [] : [.all] }
            var ranges: [PortRange] = []
            reader.elements(node) { if let range = $0.port($1) { ranges.append(range) } }
            return ranges.contains(.all) ? [.all] : ranges
        }
    }

    mutating func single(_ key: String, _ node: ReferenceNode) -> [UInt16] {
        at(key) { reader in
            var ports: [UInt16] = []
            func one(_ reader: inout ReferenceReader, _ node: ReferenceNode) {
                let port = reader.value(node) { text -> UInt16? in
                    guard let range = try? PortRange(parsing: text), range.lower == range.upper else { return nil }
                    return range.lower
                }
                if let port { ports.append(port) }
            }
            if case .list = node.content { reader.elements(node, one) } else { one(&reader, node) }
            return ports
        }
    }

    mutating func protocols(_ node: ReferenceNode, _ traffic: inout Traffic) {
        let numbers: [String: UInt8] = [
            "icmp": 1, "igmp": 2, "ipip": 4, "ipencap": 4, "egp": 8, "igp": 9, "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50,
            "ah": 51,
            "icmpv6": 58, "ipv6-icmp": 58, "ospf": 89, "etherip": 97, "encap": 98, "pim": 103, "vrrp": 112, "l2tp": 115,
            "isis": 124,
            "dccp": 33, "udplite": 136, "mpls-in-ip": 137,
        ]
        var found: [UInt8] = []
        let isAny = at("protocols") { reader -> Bool in
            if node.text == "any" { return !reader.refuses(node) }
            reader.elements(node) {
                let number = $0.value($1) { text -> UInt8? in
                    if let number = numbers[text] { return number }
                    guard let number = UInt8(text), "\(number)" == text, ![0, 6, 17, 132].contains(number) else { return nil }
                    return number
                }
                if let number { found.append(number) }
            }
            return false
        }
        traffic.protocols = found
        traffic.isEverything = isAny
    }

    // MARK: - Lists with "!"

    private static func split(_ text: String) -> (body: String, isExcluded: Bool) {
        guard text.utf8.first == UInt8(ascii: "!") else { return (text, false) }
        return (String(decoding: text.utf8.dropFirst().drop { $0 == UInt8(ascii: " ") }, as: UTF8.self), true)
    }

    mutating func plain(_ key: String, _ node: ReferenceNode?) -> [Prefix] {
        guard let node else { return [] }
        return at(key) { reader in
            var prefixes: [Prefix] = []
            reader.elements(node) { if let prefix = $0.value($1, { try? Prefix(parsing: $0) }) { prefixes.append(prefix) } }
            return prefixes
        }
    }

    mutating func selection(_ key: String, _ node: ReferenceNode?) -> Selection<Prefix> {
        guard let node else { return Selection() }
        return at(key) { reader in
            let before = reader.errors.count
            var selection = Selection<Prefix>()
            var included: [(prefix: Prefix, index: Int, node: ReferenceNode)] = []
            var index = 0
            reader.elements(node) { reader, node in
                defer { index += 1 }
                guard let (prefix, isExcluded) = reader.entry(node, { try? Prefix(parsing: $0) }) else { return }
                if isExcluded {
                    selection.excluded.append(prefix)
                } else {
                    selection.included.append(prefix)
                    included.append((prefix, index, node))
                }
            }
            guard reader.errors.count == before, !selection.excluded.isEmpty else { return selection }
            for (prefix, index, node) in included where AddressSet.isExcluded(prefix, by: selection.excluded) {
                reader.at("[\(index)]") { $0.note(node) }
            }
            if included.isEmpty, !Family.allCases.contains(where: { ReferenceReader.has($0, selection) }) { reader.note(node) }
            return selection
        }
    }

    static func has(_ family: Family, _ selection: Selection<Prefix>) -> Bool {
        if selection.included.isEmpty {
            return !AddressSet.isExcluded(Prefix(containing: Address(family: family, bits: 0), length: 0), by: selection.excluded)
        }
        return selection.included.contains { $0.family == family }
    }

    /// Notes the first entry of each family that the other list has none of.
    mutating func families(
        _ left: (key: String, list: Selection<Prefix>, node: ReferenceNode?),
        _ right: (key: String, list: Selection<Prefix>, node: ReferenceNode?)
    ) {
        for (one, other) in [(left, right), (right, left)] {
            guard let node = one.node, case .list(let nodes) = node.content else { continue }
            for family in Family.allCases where !ReferenceReader.has(family, other.list) {
                let index = nodes.firstIndex { (try? Prefix(parsing: $0.text ?? ""))?.family == family }
                if let index { at(one.key) { $0.at("[\(index)]") { $0.note(nodes[index]) } } }
            }
        }
    }

    mutating func together(_ left: Selection<Prefix>, _ right: Selection<Prefix>, _ node: ReferenceNode) {
        if !Family.allCases.contains(where: { ReferenceReader.has($0, left) && ReferenceReader.has($0, right) }) { note(node) }
    }

    /// An entry of a list that may have "!", and whether it has.
    private mutating func entry<Value>(_ node: ReferenceNode, _ parse: (String) -> Value?) -> (Value, Bool)? {
        value(node) { text in
            let (body, isExcluded) = ReferenceReader.split(text)
            return parse(body).map { ($0, isExcluded) }
        }
    }

    mutating func macs(_ node: ReferenceNode?) -> Selection<MACAddress> {
        guard let node else { return Selection() }
        return at("source-macs") { reader in
            let before = reader.errors.count
            var selection = Selection<MACAddress>()
            reader.elements(node) {
                let entry = $0.entry($1) { text in
                    (try? MACAddress(parsing: text)).flatMap { $0.bits >> 40 & 1 == 0 ? $0 : nil }
                }
                guard let (mac, isExcluded) = entry else { return }
                if isExcluded { selection.excluded.append(mac) } else { selection.included.append(mac) }
            }
            if reader.errors.count == before, selection.included.contains(where: selection.excluded.contains) { reader.note(node) }
            return selection
        }
    }

    mutating func interfaces(_ key: String, _ node: ReferenceNode?) -> Selection<InterfacePattern> {
        guard let node else { return Selection() }
        return at(key) { reader in
            let before = reader.errors.count
            var selection = Selection<InterfacePattern>()
            func one(_ reader: inout ReferenceReader, _ node: ReferenceNode) {
                let entry = reader.entry(node) { text -> InterfacePattern? in
                    guard !text.utf8.contains(where: { ",;*?[]|&%@: ".utf8.contains($0) }) else { return nil }
                    return try? InterfacePattern(parsing: text)
                }
                guard let (pattern, isExcluded) = entry else { return }
                if isExcluded { selection.excluded.append(pattern) } else { selection.included.append(pattern) }
            }
            if case .list = node.content { reader.elements(node, one) } else { one(&reader, node) }
            guard reader.errors.count == before else { return selection }
            func covers(_ wide: InterfacePattern, _ narrow: InterfacePattern) -> Bool {
                wide.isPrefix ? narrow.name.hasPrefix(wide.name) : wide == narrow
            }
            let isNever = selection.included.contains { narrow in selection.excluded.contains { covers($0, narrow) } }
            if isNever || selection.excluded.contains(where: { $0.isPrefix && $0.name.isEmpty }) { reader.note(node) }
            return selection
        }
    }
}
