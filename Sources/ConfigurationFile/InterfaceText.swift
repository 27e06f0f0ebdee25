// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Interfaces as the file writes them.
enum InterfaceText {
    /// A name, the beginning of one (`eth+`), or either with "!".
    static func parse(_ text: String) throws(Refusal) -> (InterfacePattern, isExcluded: Bool) {
        let isExcluded = text.utf8.first == UInt8(ascii: "!")
        let name = isExcluded ? String(decoding: text.utf8.dropFirst().drop { $0 == UInt8(ascii: " ") }, as: UTF8.self) : text
        guard !name.utf8.contains(where: { ",;*?[]".utf8.contains($0) }) && !name.utf8.contains(UInt8(ascii: " ")) else {
            throw explain(text, name, isExcluded)
        }
        return (try refusing { () throws(InvalidValue) in try InterfacePattern(parsing: name) }, isExcluded)
    }

    /// Why that is no name, and what was meant by it.
    private static func explain(_ text: String, _ name: String, _ isExcluded: Bool) -> Refusal {
        let sign = isExcluded ? "!" : ""
        if name.utf8.last == UInt8(ascii: "*"), let pattern = try? InterfacePattern(parsing: String(name.dropLast()) + "+"),
            !name.dropLast().utf8.contains(where: { ",;*?[] +".utf8.contains($0) })
        {
            let advice = isExcluded ? "\"!\(pattern)\"" : "\(pattern)"
            return Refusal("no interface can have the name \"\(name)\"; write \(advice) for all that begin with \(pattern.name)")
        }
        let parts = name.split { ",; ".contains($0) }
        let isList = parts.count > 1 && parts.allSatisfy { (try? InterfaceText.parse(String($0))) != nil }
        return Refusal(
            "no interface can have the name \"\(name)\""
                + (isList ? "; write a list: \(ConfigurationDecoder.flowList(sign + parts.joined(separator: ",")))" : ""))
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
        if let transport = TransportProtocol(rawValue: text) ?? UInt8(text).flatMap({ TransportProtocol(number: $0) }) {
            throw Refusal("\(text) has ports; write \"\(transport): any\" for all of it")
        }
        if let number = numbers[text] { return number }
        if text == "any" || text == "0" { throw Refusal("every protocol is \"protocols: any\", without a list") }
        guard let number = UInt8(text), "\(number)" == text else {
            throw Refusal("invalid protocol \"\(text)\": it is a name like esp, ah, gre, icmp, or a number from 1 to 255")
        }
        return number
    }
}
