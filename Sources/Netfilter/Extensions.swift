// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// A match or a target that the kernel must have.
struct Extension: Hashable {
    enum Kind: String { case match, target }
    let kind: Kind
    let name: String
    let revision: UInt8
}

/// The matches and targets that rules made of words need of the kernel.
struct Extensions: OptionSet {
    let rawValue: UInt32

    private static let all: [(kind: Extension.Kind, name: String, revision: UInt8)] = [
        (.match, "tcp", 0), (.match, "udp", 0), (.match, "sctp", 0), (.match, "multiport", 1), (.match, "comment", 0),
        (.match, "mark", 1), (.match, "connmark", 1), (.match, "mac", 0), (.match, "conntrack", 3), (.match, "icmp", 0),
        (.match, "addrtype", 1), (.match, "iprange", 1),
        (.target, "MARK", 2), (.target, "CONNMARK", 2), (.target, "MASQUERADE", 0), (.target, "SNAT", 0), (.target, "CT", 2),
    ]

    init(rawValue: UInt32) { self.rawValue = rawValue }

    private init(_ kind: Extension.Kind, _ name: String) {
        self.init(rawValue: Extensions.all.firstIndex { $0.kind == kind && $0.name == name }.map { 1 << UInt32($0) } ?? 0)
    }

    private static let ports = [Extensions(.match, "tcp"), Extensions(.match, "udp"), Extensions(.match, "sctp")]
    private static let multiport = Extensions(.match, "multiport")
    private static let comment = Extensions(.match, "comment")
    private static let packetMark = Extensions(.match, "mark")
    private static let connectionMark = Extensions(.match, "connmark")
    private static let mac = Extensions(.match, "mac")
    private static let conntrack = Extensions(.match, "conntrack")
    private static let icmp = Extensions(.match, "icmp")
    private static let addressType = Extensions(.match, "addrtype")
    private static let addressRange = Extensions(.match, "iprange")
    private static let mark = Extensions(.target, "MARK")
    private static let connmark = Extensions(.target, "CONNMARK")
    private static let masquerade = Extensions(.target, "MASQUERADE")
    private static let sourceNAT = Extensions(.target, "SNAT")
    private static let helper = Extensions(.target, "CT")

    /// What the rules need.
    init(of rules: [Rule]) {
        self = []
        let rules = rules.span
        for index in rules.indices { formUnion(Extensions(of: rules[index])) }
    }

    /// What the rule needs.
    private init(of rule: borrowing Rule) {
        self = rule.comment == nil ? [] : Extensions.comment
        if !rule.match.conditions.isEmpty {
            for condition in rule.match.conditions { formUnion(Extensions(of: condition, rule.match.transport)) }
        }
        switch rule.target {
        case .mark: formUnion(Extensions.mark)
        case .connectionMark: formUnion(Extensions.connmark)
        case .masquerade: formUnion(Extensions.masquerade)
        case .sourceNAT: formUnion(Extensions.sourceNAT)
        case .helper: formUnion(Extensions.helper)
        case .jump, .goTo, .returnToCaller, .accept, .drop, .queue, .none, .destinationNAT, .other: break
        }
    }

    private init(of condition: Condition, _ transport: ProtocolMatch?) {
        switch condition {
        case .ports(let ports) where ports.isMultiport: self = Extensions.multiport
        case .ports, .tcpFlags:
            switch transport?.number {
            case TransportProtocol.udp.number: self = Extensions.ports[1]
            case TransportProtocol.sctp.number: self = Extensions.ports[2]
            default: self = Extensions.ports[0]
            }
        case .icmp: self = Extensions.icmp
        case .mark: self = Extensions.packetMark
        case .connectionMark: self = Extensions.connectionMark
        case .mac: self = Extensions.mac
        case .connectionState: self = Extensions.conntrack
        case .addressType: self = Extensions.addressType
        case .addressRange: self = Extensions.addressRange
        case .set, .other: self = []
        }
    }

    /// Each by its name and revision.
    func list(_ family: Family) -> [Extension] {
        Extensions.all.enumerated().filter { rawValue & 1 << UInt32($0.offset) != 0 }.map { _, part in
            let isSix = family == .ipv6
            let name = part.name == "icmp" && isSix ? "icmp6" : part.name
            return Extension(kind: part.kind, name: name, revision: part.name == "SNAT" && isSix ? 1 : part.revision)
        }
    }
}
