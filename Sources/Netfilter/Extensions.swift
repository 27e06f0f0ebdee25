import CNetfilter
import Rules

/// A match or a target that the kernel must have.
struct Extension: Hashable {
    enum Kind: String { case match, target }
    let kind: Kind
    let name: String
    let revision: UInt8
}

/// The matches and targets that rules of ours need of the kernel.
struct Extensions: OptionSet {
    let rawValue: UInt8

    static let tcp = Extensions(rawValue: 1 << 0)
    static let udp = Extensions(rawValue: 1 << 1)
    static let sctp = Extensions(rawValue: 1 << 2)
    static let multiport = Extensions(rawValue: 1 << 3)
    static let comment = Extensions(rawValue: 1 << 4)
    static let mark = Extensions(rawValue: 1 << 5)
    static let masquerade = Extensions(rawValue: 1 << 6)
    static let sourceNAT = Extensions(rawValue: 1 << 7)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// What the rules need.
    init(of rules: [Rule]) {
        self = []
        let rules = rules.span
        for index in rules.indices { formUnion(Extensions(of: rules[index])) }
    }

    /// What the rule needs.
    private init(of rule: borrowing Rule) {
        self = rule.comment == nil ? [] : .comment
        switch rule.transport?.ports {
        case .source, .destination:
            switch rule.transport?.transport {
            case .tcp: insert(.tcp)
            case .udp: insert(.udp)
            case .sctp: insert(.sctp)
            case nil: break
            }
        case .sources, .destinations: insert(.multiport)
        case .any, nil: break
        }
        switch rule.target {
        case .mark: insert(.mark)
        case .masquerade: insert(.masquerade)
        case .sourceNAT: insert(.sourceNAT)
        case .jump, .goTo, .returnToCaller, .accept, .drop: break
        }
    }

    /// Each by its name and revision.
    func list(_ family: Family) -> [Extension] {
        let all: [(Extensions, Extension)] = [
            (.tcp, Extension(kind: .match, name: "tcp", revision: 0)),
            (.udp, Extension(kind: .match, name: "udp", revision: 0)),
            (.sctp, Extension(kind: .match, name: "sctp", revision: 0)),
            (.multiport, Extension(kind: .match, name: "multiport", revision: 1)),
            (.comment, Extension(kind: .match, name: "comment", revision: 0)),
            (.mark, Extension(kind: .target, name: "MARK", revision: 2)),
            (.masquerade, Extension(kind: .target, name: "MASQUERADE", revision: 0)),
            (.sourceNAT, Extension(kind: .target, name: "SNAT", revision: family == .ipv4 ? 0 : 1)),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}
