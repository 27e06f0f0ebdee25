// SPDX-License-Identifier: GPL-2.0-or-later
extension Rule {
    /// The rule as `iptables -S` prints it after the chain's name. Parts without a syntax of their own are named in brackets.
    package var iptablesSyntax: String {
        var words = match.words
        if let comment { words += ["-m comment --comment", quoted(comment)] }
        if !target.iptablesSyntax.isEmpty { words.append(target.iptablesSyntax) }
        return words.joined(separator: " ")
    }
}

extension RuleMatch {
    /// The match in iptables syntax: `-s 10.0.0.0/8 -p tcp -m tcp --dport 21`; empty where every packet matches.
    package var iptablesSyntax: String { words.joined(separator: " ") }

    fileprivate var words: [String] {
        var words: [String] = []
        func option(_ option: String, _ value: some CustomStringConvertible, _ isInverted: Bool) {
            words.append("\(isInverted ? "! " : "")\(option) \(value)")
        }
        if let source, source.prefix.length > 0 || source.isInverted { option("-s", source.prefix, source.isInverted) }
        if let destination, destination.prefix.length > 0 || destination.isInverted {
            option("-d", destination.prefix, destination.isInverted)
        }
        if let inInterface { option("-i", inInterface.pattern, inInterface.isInverted) }
        if let outInterface { option("-o", outInterface.pattern, outInterface.isInverted) }
        if let transport { option("-p", transport.name, transport.isInverted) }
        if let isFurtherFragment { words.append(isFurtherFragment ? "-f" : "! -f") }
        var step = 0
        for condition in conditions {
            // What one match of the protocol's own asks for is written after one -m.
            let next = condition.ownStep
            let text = condition.iptablesSyntax(transport)
            let name = "-m \(transport?.name ?? "") "
            words.append(step > 0 && next > step && text.hasPrefix(name) ? String(text.dropFirst(name.count)) : text)
            step = next
        }
        return words
    }
}

extension ProtocolMatch {
    /// The protocol as iptables prints it: a name of `/etc/protocols` that it knows by itself, else the number.
    package var name: String { ProtocolMatch.names.first { $0.number == number }?.name ?? "\(number)" }

    /// The protocols that iptables knows by name without a database (`xtables_chain_protos` of libxtables).
    package static let names: [(name: String, number: UInt8)] = [
        ("tcp", 6), ("sctp", 132), ("udp", 17), ("udplite", 136), ("icmp", 1), ("ipv6-icmp", 58), ("esp", 50), ("ah", 51),
        ("ipv6-mh", 135), ("all", 0),
    ]
}

extension Condition {
    /// Which part of a protocol's own match it is: source ports, destination ports, TCP flags; 0: none.
    var ownStep: Int {
        switch self {
        case .ports(let ports) where !ports.isMultiport && ports.ranges.count == 1: ports.side == .source ? 1 : 2
        case .tcpFlags: 3
        default: 0
        }
    }

    /// The condition in iptables syntax: `-m tcp --dport 21`.
    func iptablesSyntax(_ transport: ProtocolMatch?) -> String {
        func inverted(_ isInverted: Bool) -> String { isInverted ? "! " : "" }
        switch self {
        case .ports(let ports): return ports.iptablesSyntax(transport)
        case .tcpFlags(let examined, let set, let isInverted):
            return "-m tcp \(inverted(isInverted))--tcp-flags \(tcpFlagNames(examined)) \(tcpFlagNames(set))"
        case .icmp(let type, let codes, let isInverted):
            let module = transport?.number == 58 ? ("icmp6", "--icmpv6-type") : ("icmp", "--icmp-type")
            let code = codes == 0...255 ? "" : "/\(codes.lowerBound)"
            return "-m \(module.0) \(inverted(isInverted))\(module.1) \(type == 255 ? "any" : "\(type)\(code)")"
        case .mark(let mark): return "-m mark \(inverted(mark.isInverted))--mark \(mark.iptablesSyntax)"
        case .connectionMark(let mark): return "-m connmark \(inverted(mark.isInverted))--mark \(mark.iptablesSyntax)"
        case .mac(let address, let isInverted): return "-m mac \(inverted(isInverted))--mac-source \(address)"
        case .connectionState(let states, let isInverted):
            return "-m conntrack \(inverted(isInverted))--ctstate \(states.names.joined(separator: ","))"
        case .addressType(let types): return types.iptablesSyntax
        case .addressRange(let side, let first, let last, let isInverted):
            return "-m iprange \(inverted(isInverted))--\(side == .source ? "src" : "dst")-range \(first)-\(last)"
        case .set(let index, _, _, let isInverted): return "[\(inverted(isInverted))set \(index)]"
        case .other(.authenticationHeader): return "-m ah"
        case .other(let other): return "[\(printable(other.name))]"
        }
    }
}

extension PortMatch {
    func iptablesSyntax(_ transport: ProtocolMatch?) -> String {
        let name = isMultiport ? "multiport" : transport?.name ?? ""
        let side =
            switch side {
            case .source: isMultiport ? "--sports" : "--sport"
            case .destination: isMultiport ? "--dports" : "--dport"
            case .either: "--ports"
            }
        return "-m \(name) \(isInverted ? "! " : "")\(side) \(ranges.map(\.iptablesSyntax).joined(separator: ","))"
    }
}

extension MarkMatch {
    var iptablesSyntax: String { mask == .max ? hexadecimal(value) : "\(hexadecimal(value))/\(hexadecimal(mask))" }
}

extension ConnectionStates {
    /// The states' names, as `--ctstate` takes them.
    package var names: [String] {
        let all: [(ConnectionStates, String)] = [
            (.invalid, "INVALID"), (.new, "NEW"), (.related, "RELATED"), (.established, "ESTABLISHED"), (.untracked, "UNTRACKED"),
            (.sourceTranslated, "SNAT"), (.destinationTranslated, "DNAT"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

extension AddressTypeMatch {
    /// The names of `RTN_*` by number, as `--src-type` takes them.
    package static let names = [
        "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "THROW", "NAT",
        "XRESOLVE",
    ]

    var iptablesSyntax: String {
        func list(_ bits: UInt16) -> String {
            AddressTypeMatch.names.enumerated().filter { bits & 1 << UInt16($0.offset) != 0 }.map(\.element).joined(separator: ",")
        }
        var text = "-m addrtype"
        if source != 0 { text += " \(isSourceInverted ? "! " : "")--src-type \(list(source))" }
        if destination != 0 { text += " \(isDestinationInverted ? "! " : "")--dst-type \(list(destination))" }
        // XT_ADDRTYPE_LIMIT_IFACE_IN and _OUT, <linux/netfilter/xt_addrtype.h>.
        if limitFlags & 4 != 0 { text += " --limit-iface-in" }
        if limitFlags & 8 != 0 { text += " --limit-iface-out" }
        return text
    }
}

private func tcpFlagNames(_ bits: UInt8) -> String {
    let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"].enumerated().filter { bits & 1 << UInt8($0.offset) != 0 }.map(\.element)
    return names.isEmpty ? "NONE" : names.joined(separator: ",")
}

extension Target {
    /// The target in iptables syntax: `-j MARK --set-xmark 0x15/0xffffffff`; empty for a rule without a target.
    package var iptablesSyntax: String {
        switch self {
        case .mark(let operation): return "-j MARK --set-xmark \(hexadecimal(operation.value))/\(hexadecimal(operation.mask))"
        case .connectionMark(let operation): return "-j CONNMARK \(operation.iptablesSyntax)"
        case .masquerade(let options):
            let ports = options.ports.map { " --to-ports \($0)" } ?? ""
            return "-j MASQUERADE\(ports)\(options.flagWords)"
        case .sourceNAT(let range):
            let ports = range.options.ports.map { ":\($0)" } ?? ""
            let address = range.first.family == .ipv6 && range.options.ports != nil ? "[\(range.addresses)]" : range.addresses
            return "-j SNAT --to-source \(address)\(ports)\(range.options.flagWords)"
        case .destinationNAT(let range): return "-j DNAT --to-destination \(range.iptablesSyntax)"
        case .helper(let name): return "-j CT --helper \(printable(name))"
        case .jump(let chain): return "-j \(chain)"
        case .goTo(let chain): return "-g \(chain)"
        case .returnToCaller: return "-j RETURN"
        case .accept: return "-j ACCEPT"
        case .drop: return "-j DROP"
        case .queue: return "-j QUEUE"
        case .none: return ""
        case .other(let other): return "-j \(printable(other.name))"
        }
    }
}

extension ConnectionMarkOperation {
    var iptablesSyntax: String {
        switch self {
        case .set(let value, let mask): "--set-xmark \(hexadecimal(value))/\(hexadecimal(mask))"
        case .save(let connection, let packet): "--save-mark --nfmask \(hexadecimal(packet)) --ctmask \(hexadecimal(connection))"
        case .restore(let connection, let packet):
            "--restore-mark --nfmask \(hexadecimal(packet)) --ctmask \(hexadecimal(connection))"
        }
    }
}

extension TranslationOptions {
    fileprivate var flagWords: String {
        (isRandom ? " --random" : "") + (isFullyRandom ? " --random-fully" : "") + (isPersistent ? " --persistent" : "")
    }
}

extension SourceRange {
    /// The addresses as `--to-source` takes them: `203.0.113.10`, `203.0.113.10-203.0.113.12`.
    package var addresses: String { first == last ? "\(first)" : "\(first)-\(last)" }
}

extension DestinationRange {
    fileprivate var iptablesSyntax: String {
        var text = ""
        if let first, let last {
            text = first == last ? "\(first)" : "\(first)-\(last)"
            if first.family == .ipv6, options.ports != nil { text = "[\(text)]" }
        }
        return text + (options.ports.map { ":\($0)" } ?? "") + options.flagWords
    }
}

/// The text in quotes as iptables-save writes it, without them where it needs none.
package func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
    if isPlain && !text.isEmpty { return text }
    var result = "\""
    for character in text.unicodeScalars {
        if character == "\"" || character == "\\" || character == "'" { result.append("\\") }
        result.unicodeScalars.append(character)
    }
    return result + "\""
}
