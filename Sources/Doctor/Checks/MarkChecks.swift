// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

/// Another rule that changes the mark that IPVS compares: all 32 bits of it, whatever our mask.
enum ForeignMarks: Check {
    static let name = "foreign-marks"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.firewall.judge { firewall in
            // IPVS takes packets in INPUT, after all rules of both hooks.
            firewall.findings(facts, at: [.prerouting, .input]) { rule, table, chain, hook, services in
                guard rule.rule.target.effect == .mark else { return nil }
                let isBefore = hook == .prerouting && isBeforeOurs(rule, table, chain)
                let hit = services.services(for: rule).filter { changes(rule, $0, table.family, isBefore) }
                guard let first = hit.first else { return nil }
                let others = hit.count > 1 ? " and \(hit.count - 1) more" : ""
                return finding(
                    .warning,
                    "\(table.text(rule.chain, rule.number)) changes the mark \(first.mark) of packets of \(first.name)\(others).",
                    "IPVS compares all 32 bits of the mark: it sees another one than its virtual service has, and does not know the packet.",
                    table.listing(rule.chain), "fwmarkctl explain --kernel --help")
            }
        }
    }

    private static func isBeforeOurs(_ rule: ReachedRule, _ table: FirewallTable, _ chain: Int) -> Bool {
        if let isBefore = rule.isBeforeOurs { return isBefore }
        // Our jump is in x_tables' mangle, at -150.
        return (table.chains[chain].base?.priority ?? 0) < -150
    }

    private static func changes(_ rule: ReachedRule, _ service: Service, _ family: Family, _ isBefore: Bool) -> Bool {
        // What comes before us is overwritten, but for the bits outside our mask.
        let (value, mask) = (service.mark.value, service.mark.mask)
        let change: Bool
        switch rule.rule.target {
        case .mark(let operation): change = isBefore ? operation.applied(to: 0) & ~mask != 0 : operation.applied(to: value) != value
        case .connectionMark(.restore(_, let packetMask)): change = !isBefore && packetMask & value != 0
        default: change = !isBefore || mask != .max
        }
        return change && rule.mayMatch(TrafficClass(service, family, mark: isBefore ? nil : value))
    }
}

/// Rules that ask for a mark and drop, accept or translate by it: a mark of ours may be one that another program means something by.
enum MarkReaders: Check {
    static let name = "mark-readers"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.firewall.judge { firewall in
            firewall.findings(facts, at: [.prerouting, .input, .output, .postrouting]) { rule, table, _, hook, services in
                guard let mark = rule.mark, let effect = effect(rule, table, hook), !isBeforeOurs(rule, hook) else { return nil }
                let hit = services.services(for: rule).filter { service in
                    mark.matches(service.mark.value)
                        && rule.mayMatch(anyAddresses(hook, TrafficClass(service, table.family, mark: service.mark.value)))
                }
                guard let first = hit.first else { return nil }
                return finding(
                    mark, effect, table.text(rule.chain, rule.number), table.listing(rule.chain), first, hit.count - 1)
            }
        }
    }

    private static func finding(
        _ mark: MarkMatch, _ effect: Target.Effect, _ text: String, _ listing: String, _ service: Service, _ others: Int
    ) -> Finding {
        let bits = service.mark.value & mask(mark)
        let deed = effect == .drop ? "drops" : effect == .translate ? "translates" : "lets pass"
        let which = bits == 0 ? "without a bit of \(hexadecimal(mask(mark)))" : "with the bits \(hexadecimal(bits))"
        return finding(
            effect == .drop ? .problem : .warning,
            "\(text) \(deed) packets \(which), which the mark \(service.mark) of \(service.name) has\(others > 0 ? " (and \(others) more)" : "").",
            "To another program the mark means something else than to IPVS.",
            listing, "give \(service.name) a mark without these bits, in the file and in IPVS")
    }

    private static func mask(_ mark: MarkMatch) -> UInt32 { mark.mask }

    /// After PREROUTING IPVS has changed addresses and interfaces.
    private static func anyAddresses(_ hook: Hook, _ traffic: TrafficClass) -> TrafficClass {
        var traffic = traffic
        if hook == .output || hook == .postrouting { traffic.destinations = Selection() }
        return traffic
    }

    private static func isBeforeOurs(_ rule: ReachedRule, _ hook: Hook) -> Bool { hook == .prerouting && rule.isBeforeOurs == true }

    /// What the rule does by the mark; nil: nothing that matters. nat is asked about IPVS' connections alone where they are tracked,
    /// and what a hook lets pass it lets pass.
    private static func effect(_ rule: ReachedRule, _ table: FirewallTable, _ hook: Hook) -> Target.Effect? {
        switch rule.rule.target.effect {
        case .drop: .drop
        case .translate: .translate
        case .accept where hook == .prerouting: .accept
        default: nil
        }
    }
}

extension ReachedRule {
    /// The mark that the rule, a rule that leads to it or one before it asks for.
    fileprivate var mark: MarkMatch? {
        for match in [rule.match] + path.reversed() {
            // A rule for all other marks is not about a mark.
            for condition in match.conditions {
                if case .mark(let mark) = condition, !mark.isInverted, mark.value != 0 { return mark }
            }
        }
        return guardingMark.flatMap { $0.value == 0 ? nil : $0 }
    }
}

/// The number as marks are written.
private func hexadecimal(_ number: UInt32) -> String { "0x" + String(number, radix: 16) }

/// A routing rule that asks for a mark of ours.
enum RoutingRules: Check {
    static let name = "routing-rules"

    static func examine(_ facts: Facts) -> CheckResult {
        facts.routing.judge { routing in
            var verdict = CheckResult()
            for rule in routing.rules {
                // Marked packets that are made local are how a director takes VIPs that it does not have: intended.
                let isLocal = routing.defaults.contains { $0.family == rule.family && $0.table == rule.table && $0.isLocal }
                let services = facts.marked.filter { $0.families.contains(rule.family) && rule.matches($0.service.mark.value) }
                guard !isLocal, let first = services.first?.service else { continue }
                let mask = rule.mask == .max ? "" : "/\(hexadecimal(rule.mask))"
                let mark = "\(hexadecimal(rule.mark))\(mask)"
                let ip = rule.family == .ipv4 ? "ip" : "ip -6"
                let destination =
                    rule.table == 0 ? "does something else with them" : "sends them to the routing table \(rule.table)"
                verdict.findings.append(
                    finding(
                        .warning,
                        "the routing rule \(rule.priority) asks for fwmark \(mark), which packets of \(first.name) have, and \(destination).",
                        "Marked packets do not come to IPVS when they are routed past this machine: IPVS takes only what is for the machine itself.",
                        "\(ip) rule show",
                        rule.table == 0 ? "\(ip) rule show fwmark \(mark)" : "\(ip) route show table \(rule.table)",
                        "\(ip) rule del priority \(rule.priority)"))
            }
            return verdict
        }
    }
}
