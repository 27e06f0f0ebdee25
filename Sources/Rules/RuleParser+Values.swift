extension RuleParser {
    /// A prefix, with a length or a netmask; bits after the length do not count, as iptables has it.
    static func prefix(_ text: String) throws(RuleProblem) -> Prefix {
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let address = try? Address(parsing: halves[0]) else {
            throw RuleProblem("\(printable(halves[0])) is a name that would have to be looked up")
        }
        guard halves.count == 2 else { return Prefix(address) }
        if let length = Int(halves[1]), (0...address.family.bitWidth).contains(length) {
            return Prefix(containing: address, length: length)
        }
        guard let mask = try? Address(parsing: halves[1]), mask.family == address.family else {
            throw RuleProblem("\(printable(text)) is not a prefix")
        }
        let prefix = Prefix(containing: address, length: mask.bits.nonzeroBitCount)
        guard prefix.mask == mask.bits else { throw RuleProblem("the mask of \(text) has holes") }
        return prefix
    }

    static func protocolNumber(_ name: String) throws(RuleProblem) -> UInt8 {
        let more: [String: UInt8] = [
            "icmpv6": 58, "gre": 47, "mh": 135, "ipv6-auth": 51, "ipv6-crypt": 50, "igmp": 2, "ipip": 4, "ipencap": 4,
        ]
        let name = String(decoding: name.utf8.map { (65...90).contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
        if let number = UInt8(name) { return number }
        if let found = ProtocolMatch.names.first(where: { $0.name == name }) { return found.number }
        if let number = more[name] { return number }
        throw RuleProblem("\(printable(name)) is not a protocol that is known")
    }

    static func portRanges(_ text: String, separator: Character = ":") throws(RuleProblem) -> [PortRange] {
        var ranges: [PortRange] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let lower = ends[0].isEmpty && ends.count > 1 ? 0 : try port(ends[0])
            let upper = ends.count == 1 ? lower : ends[1].isEmpty ? 65535 : try port(ends[1])
            guard lower <= upper else { throw RuleProblem("the range of ports \(part) runs backwards") }
            ranges.append(PortRange(lower, upper))
        }
        return ranges
    }

    private static func port(_ text: String) throws(RuleProblem) -> UInt16 {
        if let port = UInt16(text) { return port }
        guard let port = portNames[text] else { throw RuleProblem("\(printable(text)) is not a port that is known") }
        return port
    }

    /// The names of `/etc/services` that rules are most often written with.
    private static let portNames: [String: UInt16] = [
        "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69,
        "http": 80,
        "www": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123, "imap2": 143, "imap": 143, "snmp": 161, "snmp-trap": 162,
        "bgp": 179, "ldap": 389, "https": 443, "microsoft-ds": 445, "submissions": 465, "isakmp": 500, "syslog": 514,
        "submission": 587,
        "ldaps": 636, "ftps-data": 989, "ftps": 990, "imaps": 993, "pop3s": 995, "openvpn": 1194, "ms-sql-s": 1433, "nfs": 2049,
        "mysql": 3306, "ipsec-nat-t": 4500, "sip": 5060, "sip-tls": 5061, "postgresql": 5432, "http-alt": 8080, "webcache": 8080,
    ]

    static func mark(_ text: String) throws(RuleProblem) -> (value: UInt32, mask: UInt32) {
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        func number(_ digits: Substring) -> UInt32? {
            digits.hasPrefix("0x") || digits.hasPrefix("0X")
                ? UInt32(digits.dropFirst(2), radix: 16)
                : digits.hasPrefix("0") && digits.utf8.count > 1 ? UInt32(digits.dropFirst(), radix: 8) : UInt32(digits)
        }
        guard let value = number(halves[0]), let mask = halves.count == 1 ? .max : number(halves[1]) else {
            throw RuleProblem("\(printable(text)) is not a mark")
        }
        return (value, mask)
    }

    static func states(_ text: String) throws(RuleProblem) -> ConnectionStates {
        var states: ConnectionStates = []
        for name in text.split(separator: ",") {
            let all: [(String, ConnectionStates)] = [
                ("INVALID", .invalid), ("NEW", .new), ("RELATED", .related), ("ESTABLISHED", .established),
                ("UNTRACKED", .untracked),
                ("SNAT", .sourceTranslated), ("DNAT", .destinationTranslated),
            ]
            guard let state = all.first(where: { $0.0 == name }) else {
                throw RuleProblem("\(name) is not a state of a connection")
            }
            states.insert(state.1)
        }
        return states
    }

    static func addressTypes(_ text: String) throws(RuleProblem) -> UInt16 {
        var types: UInt16 = 0
        for name in text.split(separator: ",") {
            guard let number = AddressTypeMatch.names.firstIndex(of: String(name)) else {
                throw RuleProblem("\(name) is not a kind of address")
            }
            types |= 1 << UInt16(number)
        }
        return types
    }

    static func tcpFlags(_ text: String) throws(RuleProblem) -> UInt8 {
        var flags: UInt8 = 0
        for name in text.split(separator: ",") {
            if name == "ALL" {
                flags |= 0x3f
            } else if name != "NONE" {
                guard let bit = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"].firstIndex(of: String(name)) else {
                    throw RuleProblem("\(name) is not a flag of TCP")
                }
                flags |= 1 << UInt8(bit)
            }
        }
        return flags
    }

    static func icmp(_ text: String, _ family: Family) throws(RuleProblem) -> (UInt8, ClosedRange<UInt8>) {
        let names: [String: UInt8] =
            family == .ipv4
            ? [
                "any": 255, "echo-reply": 0, "pong": 0, "destination-unreachable": 3, "echo-request": 8, "ping": 8,
                "time-exceeded": 11,
            ]
            : [
                "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "echo-request": 128, "ping": 128,
                "echo-reply": 129,
            ]
        if let type = names[text] { return (type, 0...255) }
        let halves = text.split(separator: "/").map(String.init)
        guard let first = halves.first, let type = UInt8(first) else {
            throw RuleProblem("\(printable(text)) is not a type of ICMP that is known")
        }
        guard halves.count == 2 else { return (type, 0...255) }
        guard let code = UInt8(halves[1]) else { throw RuleProblem("\(printable(text)) is not a type of ICMP that is known") }
        return (type, code...code)
    }

    static func range(_ text: String) throws(RuleProblem) -> SourceRange {
        var rest = text
        var options = TranslationOptions()
        let isBracketed = rest.hasPrefix("[")
        if isBracketed, let end = rest.firstIndex(of: "]") {
            let ports = rest[rest.index(after: end)...].dropFirst()
            if !ports.isEmpty { options.ports = try portRanges(String(ports), separator: "-").first }
            rest = String(rest[rest.index(after: rest.startIndex)..<end])
        } else if rest.split(separator: ":").count == 2, rest.contains(".") {
            let halves = rest.split(separator: ":").map(String.init)
            options.ports = try portRanges(halves[1], separator: "-").first
            rest = halves[0]
        }
        let ends = rest.split(separator: "-").map(String.init)
        guard let low = ends.first, let first = try? Address(parsing: low), let last = try? Address(parsing: ends.last ?? ""),
            first.family == last.family, first <= last
        else { throw RuleProblem("\(printable(text)) is not an address or a range of addresses") }
        return SourceRange(first, last, options: options)
    }
}
