extension Rule {
    /// The rule as `iptables-legacy-save` prints it, without `-A` and the chain: `-d 203.0.113.10/32 -p tcp -m tcp …`.
    package var iptablesSyntax: String {
        var words: [String] = []
        func address(_ option: String, _ match: AddressMatch?) {
            guard let match, match.prefix.length > 0 || match.isInverted else { return }
            if match.isInverted { words.append("!") }
            words.append("\(option) \(match.prefix)")
        }
        address("-s", source)
        address("-d", destination)
        if let inInterface { words.append("-i \(inInterface)") }
        if let outInterface { words.append("-o \(outInterface)") }
        if let transport { words.append(transport.iptablesSyntax) }
        if let comment { words.append("-m comment --comment \(quoted(comment))") }
        words.append(target.iptablesSyntax)
        return words.joined(separator: " ")
    }
}

extension TransportMatch {
    /// The match as `iptables-legacy-save` prints it: `-p tcp -m tcp --dport 21`.
    package var iptablesSyntax: String {
        func list(_ ranges: [PortRange]) -> String { ranges.map(\.iptablesSyntax).joined(separator: ",") }
        let ports =
            switch ports {
            case .any: ""
            case .source(let range): " -m \(transport) --sport \(range.iptablesSyntax)"
            case .destination(let range): " -m \(transport) --dport \(range.iptablesSyntax)"
            case .sources(let ranges): " -m multiport --sports \(list(ranges))"
            case .destinations(let ranges): " -m multiport --dports \(list(ranges))"
            }
        return "-p \(transport)\(ports)"
    }
}

extension Target {
    /// The target as `iptables-legacy-save` prints it: `-j MARK --set-xmark 0x15/0xffffffff`.
    package var iptablesSyntax: String {
        switch self {
        case .mark(let mark): "-j MARK --set-xmark \(mark.iptablesSyntax)"
        case .masquerade: "-j MASQUERADE"
        case .sourceNAT(let address): "-j SNAT --to-source \(address)"
        case .jump(let chain): "-j \(chain)"
        case .goTo(let chain): "-g \(chain)"
        case .returnToCaller: "-j RETURN"
        case .accept: "-j ACCEPT"
        case .drop: "-j DROP"
        }
    }
}

/// The text as iptables-save writes an argument: in quotes, with `"`, `\` and `'` escaped, unless it consists of
/// letters, digits, `_` and `-` alone.
func quoted(_ text: String) -> String {
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
