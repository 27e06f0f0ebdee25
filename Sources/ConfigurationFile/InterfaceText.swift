// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Interfaces as the file writes them.
enum InterfaceText {
    /// A name, the beginning of one (`eth+`), or either with "!".
    static func parse(_ text: String) throws(Refusal) -> (InterfacePattern, isExcluded: Bool) {
        let isExcluded = text.utf8.first == UInt8(ascii: "!")
        let name = isExcluded ? String(decoding: text.utf8.dropFirst().drop { $0 == UInt8(ascii: " ") }, as: UTF8.self) : text
        guard !name.utf8.contains(where: { ",;*?[]|&%@: ".utf8.contains($0) }) else {
            throw explain(name, isExcluded)
        }
        return (try refusing { () throws(InvalidValue) in try InterfacePattern(parsing: name) }, isExcluded)
    }

    /// Why that is no name, and what was meant by it.
    private static func explain(_ name: String, _ isExcluded: Bool) -> Refusal {
        let problem = "no interface can have the name \"\(name)\""
        func advice(_ pattern: InterfacePattern) -> String { isExcluded ? "\"!\(pattern)\"" : "\(pattern)" }
        if name.utf8.last == UInt8(ascii: "*"), let pattern = plain(String(name.dropLast()) + "+") {
            return Refusal("\(problem); write \(advice(pattern)) for all that begin with \(pattern.name)")
        }
        // What ip shows: "eth0@if5" is eth0, "eth0:1" the label of an address of eth0.
        for sign: Character in ["@", ":"] {
            guard let end = name.firstIndex(of: sign), let pattern = plain(String(name[..<end])), !pattern.isPrefix else {
                continue
            }
            return Refusal("\(problem); write \(advice(pattern))")
        }
        // "eth 0" is no list.
        let isBroken = name.split { ",; ".contains($0) }.dropFirst().contains { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        return Refusal(problem, isFinal: isBroken)
    }

    /// The pattern of a text without anything that only looks like a name.
    private static func plain(_ text: String) -> InterfacePattern? {
        text.utf8.contains { ",;*?[]|&%@: ".utf8.contains($0) } ? nil : try? InterfacePattern(parsing: text)
    }
}

/// Protocols without ports as the file writes them.
enum ProtocolText {
    /// Names of IANA's registry of assigned Internet protocol numbers, those that iptables takes without `/etc/protocols` among them.
    private static let numbers: [String: UInt8] = [
        "icmp": 1, "igmp": 2, "ipip": 4, "ipencap": 4, "egp": 8, "igp": 9, "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51,
        "icmpv6": 58, "ipv6-icmp": 58, "ospf": 89, "etherip": 97, "encap": 98, "pim": 103, "vrrp": 112, "l2tp": 115, "isis": 124,
        "dccp": 33, "udplite": 136, "mpls-in-ip": 137,
    ]

    /// A name or a number.
    static func parse(_ text: String) throws(Refusal) -> UInt8 {
        if let transport = TransportProtocol(rawValue: text.lowercased()) ?? UInt8(text).flatMap({ TransportProtocol(number: $0) })
        {
            throw Refusal("\(text) has ports; write \"\(transport): any\" for all of it")
        }
        if let number = numbers[text] { return number }
        if ["any", "0", "all", "ip", "*"].contains(text.lowercased()) {
            throw Refusal("every protocol is \"protocols: any\", without a list")
        }
        guard let number = UInt8(text), "\(number)" == text else {
            let meant = numbers[text.lowercased()] == nil ? "" : "; write \(text.lowercased())"
            if text.hasPrefix("!") { throw Refusal("\"\(text)\": nothing can be excluded here") }
            throw Refusal("invalid protocol \"\(text)\": it is a name like esp, ah, gre, icmp, or a number from 1 to 255\(meant)")
        }
        return number
    }
}
