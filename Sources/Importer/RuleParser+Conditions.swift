// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Rules

extension RuleParser {
    /// Reads the option of a match; false where it has no type.
    mutating func condition(_ option: String, _ isInverted: Bool) -> Bool {
        switch option {
        case "--sport", "--source-port": return ports(.source, isInverted, isMultiport: false)
        case "--dport", "--destination-port": return ports(.destination, isInverted, isMultiport: false)
        case "--sports", "--source-ports": return ports(.source, isInverted, isMultiport: true)
        case "--dports", "--destination-ports": return ports(.destination, isInverted, isMultiport: true)
        case "--ports": return ports(.either, isInverted, isMultiport: true)
        case "--comment":
            guard !isInverted, let text = argument() else { return false }
            comment = comment ?? text
            return true
        case "--mark": return mark(isInverted)
        case "--mac-source":
            guard let text = argument(), let address = try? MACAddress(parsing: text) else { return false }
            match.conditions.append(.mac(address, isInverted: isInverted))
            return true
        case "--state", "--ctstate": return states(isInverted)
        case "--src-range": return range(.source, isInverted)
        case "--dst-range": return range(.destination, isInverted)
        case "--src-type", "--dst-type": return addressType(option == "--src-type", isInverted)
        case "--icmp-type", "--icmpv6-type": return icmp(isInverted)
        default: return false
        }
    }

    private mutating func ports(_ side: PortMatch.Side, _ isInverted: Bool, isMultiport: Bool) -> Bool {
        guard let transport = match.transport, !transport.isInverted, let known = TransportProtocol(number: transport.number),
            let text = argument()
        else { return false }
        let parts = isMultiport ? text.split(separator: ",", omittingEmptySubsequences: false) : [text[...]]
        let ranges = parts.compactMap { RuleParser.portRange($0, known) }
        guard ranges.count == parts.count else {
            giveBack()
            return false
        }
        if ranges != [.all] || isInverted {
            match.conditions.append(.ports(PortMatch(side, ranges, isInverted: isInverted, isMultiport: isMultiport)))
        }
        return true
    }

    private static func portRange(_ text: Substring, _ transport: TransportProtocol) -> PortRange? {
        let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        if halves.count == 1 { return port(halves[0], transport).map { PortRange($0) } }
        guard let lower = halves[0].isEmpty ? 0 : port(halves[0], transport),
            let upper = halves[1].isEmpty ? 65535 : port(halves[1], transport), lower <= upper
        else { return nil }
        return PortRange(lower, upper)
    }

    /// A port by number, or by a name of services(5).
    private static func port(_ text: Substring, _ transport: TransportProtocol) -> UInt16? {
        if let number = number(text) { return UInt16(exactly: number) }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), let entry = getservbyname(String(text), transport.rawValue) else {
            return commonPorts[text.lowercased()]
        }
        return UInt16(bigEndian: UInt16(truncatingIfNeeded: entry.pointee.s_port))
    }

    /// Names that scripts use, for machines without /etc/services.
    private static let commonPorts: [String: UInt16] = [
        "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "http": 80, "www": 80, "pop3": 110,
        "imap": 143,
        "imap2": 143, "ldap": 389, "https": 443, "submission": 587, "ldaps": 636, "ftps-data": 989, "ftps": 990, "imaps": 993,
        "pop3s": 995,
    ]

    private mutating func mark(_ isInverted: Bool) -> Bool {
        guard let text = argument() else { return false }
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = halves.compactMap { RuleParser.number($0) }
        guard numbers.count == halves.count, let value = numbers.first else { return false }
        let mark = MarkMatch(value: value, mask: numbers.count == 2 ? numbers[1] : .max, isInverted: isInverted)
        match.conditions.append(lastModule == "connmark" ? .connectionMark(mark) : .mark(mark))
        return true
    }

    /// A number as iptables reads it: decimal, `0x…`, or octal with a leading zero.
    static func number(_ text: Substring) -> UInt32? {
        if text.lowercased().hasPrefix("0x") { return UInt32(text.dropFirst(2), radix: 16) }
        guard text.first != "+", text.first != "-" else { return nil }
        return text.count > 1 && text.first == "0" ? UInt32(text, radix: 8) : UInt32(text)
    }

    private mutating func states(_ isInverted: Bool) -> Bool {
        guard let text = argument() else { return false }
        let known: [String: ConnectionStates] = [
            "INVALID": .invalid, "ESTABLISHED": .established, "RELATED": .related, "NEW": .new, "SNAT": .sourceTranslated,
            "DNAT": .destinationTranslated, "UNTRACKED": .untracked,
        ]
        var states: ConnectionStates = []
        for name in text.split(separator: ",") {
            guard let state = known[name.uppercased()] else { return false }
            states.insert(state)
        }
        match.conditions.append(.connectionState(states, isInverted: isInverted))
        return true
    }

    private mutating func range(_ side: AddressSide, _ isInverted: Bool) -> Bool {
        guard let text = argument() else { return false }
        let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = try? Address(parsing: String(halves[0])), first.family == family,
            let last = halves.count == 1 ? first : try? Address(parsing: String(halves[1])), last.family == family, first <= last
        else { return false }
        match.conditions.append(.addressRange(side: side, first: first, last: last, isInverted: isInverted))
        return true
    }

    private mutating func addressType(_ isSource: Bool, _ isInverted: Bool) -> Bool {
        guard let text = argument() else { return false }
        var bits: UInt16 = 0
        for name in text.split(separator: ",") {
            guard let number = AddressTypeMatch.names.firstIndex(of: name.uppercased()) else { return false }
            bits |= 1 << UInt16(number)
        }
        let types =
            isSource
            ? AddressTypeMatch(source: bits, isSourceInverted: isInverted)
            : AddressTypeMatch(destination: bits, isDestinationInverted: isInverted)
        match.conditions.append(.addressType(types))
        return true
    }

    private mutating func icmp(_ isInverted: Bool) -> Bool {
        guard let text = argument() else { return false }
        if text == "any" {
            match.conditions.append(.icmp(type: 255, codes: 0...255, isInverted: isInverted))
            return true
        }
        let halves = text.split(separator: "/", maxSplits: 1)
        let names: [String: UInt8] = ["echo-request": family == .ipv4 ? 8 : 128, "echo-reply": family == .ipv4 ? 0 : 129]
        guard let type = UInt8(halves[0]) ?? names[String(halves[0])] else { return false }
        var codes: ClosedRange<UInt8> = 0...255
        if halves.count == 2 {
            guard let code = UInt8(halves[1]) else { return false }
            codes = code...code
        }
        match.conditions.append(.icmp(type: type, codes: codes, isInverted: isInverted))
        return true
    }
}
