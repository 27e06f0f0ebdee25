import ConfigurationFile
import Netlink
import Rules

/// The kernel must have the legacy x_tables, with the matches and targets that our rules are made of.
enum LegacyTables: Check {
    static let name = "legacy-tables"

    static func examine(_ facts: Facts) -> Verdict {
        var verdict = Verdict()
        for family in Family.allCases {
            switch facts.missing[family] {
            case nil, .known([]): break
            case .known(let missing):
                verdict.findings += missing.map { sentence in
                    finding(
                        .problem, sentence,
                        "fwmarkd's rules for \(family) cannot be put into the kernel; the kernel refuses a table as a whole.",
                        "modprobe -a ip_tables ip6_tables xt_mark xt_tcpudp xt_multiport xt_comment xt_nat xt_MASQUERADE")
                }
            case .unknown(let reason): verdict.notRun.append("\(family): \(reason)")
            }
        }
        return verdict
    }
}

/// Rules of nf_tables see the same packets, before or after ours, and are shown by no iptables-legacy.
enum NftRules: Check {
    static let name = "nft-rules"

    static func examine(_ facts: Facts) -> Verdict {
        let rules: [NftRule]
        switch facts.nftRules {
        case .known(let known): rules = known
        case .unknown(let reason): return .notRun(reason)
        }
        let destinations = facts.configuration.allServices.flatMap(\.addresses)
        let sources = facts.configuration.allMasquerades.flatMap(\.sources)
        // What is for other packets alone is nothing to us.
        func concerns(_ rule: NftRule) -> Bool {
            let ours = rule.action == .mark ? (rule.destination, destinations) : (rule.source, sources)
            return ours.0.map { prefix in ours.1.contains { $0.overlaps(prefix) } } ?? !ours.1.isEmpty
        }
        var verdict = Verdict()
        let chains = Dictionary(grouping: rules.filter(concerns)) {
            "\($0.family) \($0.table) \($0.chain)"
        }
        for (chain, rules) in chains.sorted(by: { $0.key < $1.key }) {
            let deeds = NftRule.Action.allCases.filter { action in rules.contains { $0.action == action } }.map { action in
                switch action {
                case .mark: "sets marks"
                case .masquerade: "masquerades"
                case .sourceNAT: "translates sources"
                }
            }
            let origin = rules.allSatisfy(\.isFromIptables) ? ", made by iptables-nft" : ""
            verdict.findings.append(
                finding(
                    .warning,
                    "the nf_tables chain \(chain) \(deeds.joined(separator: " and "))\(origin) (\(rules.count == 1 ? "1 rule" : "\(rules.count) rules")).",
                    "nf_tables and the legacy tables both see every packet: a mark set there can undo ours, and the first translation of a "
                        + "connection decides.",
                    "nft -a list chain \(chain)"))
        }
        return verdict
    }
}

/// A director passes packets on.
enum IPForward: Check {
    static let name = "ip-forward"

    static func examine(_ facts: Facts) -> Verdict {
        var verdict = Verdict()
        for (family, setting) in [(Family.ipv4, "net.ipv4.ip_forward"), (.ipv6, "net.ipv6.conf.all.forwarding")]
        where facts.configuration.has(family) {
            switch facts.settings[setting] {
            case "0":
                verdict.findings.append(
                    finding(
                        .problem, "\(setting) is 0.",
                        "The kernel throws away what the real servers answer and what they open: the director does not route.",
                        "sysctl -w \(setting)=1", "echo '\(setting) = 1' > /etc/sysctl.d/50-director.conf"))
            case nil: verdict.notRun.append("\(setting) cannot be read")
            default: break
            }
        }
        return verdict
    }
}

extension Configuration {
    /// Whether it has rules for the family.
    func has(_ family: Family) -> Bool {
        allServices.contains { $0.addresses.contains { $0.family == family } }
            || allMasquerades.contains { $0.sources.contains { $0.family == family } }
    }
}
