// SPDX-License-Identifier: GPL-2.0-or-later
import RandomConfigurations
import RandomNumbers
import Rules

/// Random tables as other programs make them: chains, conditional jumps, goto, RETURN, verdicts, masks, readers of marks, connections'
/// marks, translations, interfaces, policies.
struct ForeignTables {
    var numbers: SeededNumbers
    let family: Family
    /// Whether rules may look at connections and translate.
    var isTracking = true
    /// Whether some rules match by chance, or by what no judge knows.
    var hasUnknowns = true

    /// Where mangle has rules.
    var hooks = Hook.allCases

    /// The lines of a dump.
    ///
    /// - Parameter rules: how many rules mangle has; the other tables have fewer.
    mutating func dump(rules: Int) -> String {
        var text = table("mangle", hooks, rules)
        guard isTracking else { return text }
        text += table("nat", [.input, .postrouting], pick([0, 1, 2, 3, rules / 2]), redirections: pick([0, 0, 3, 6]))
        if pick([true, false, false]) { text += table("filter", [.input, .forward, .output].filter(hooks.contains), 3) }
        if pick([true, false, false, false]) { text += table("raw", [.prerouting, .output], 2) }
        return text
    }

    private mutating func table(_ name: String, _ hooks: [Hook], _ rules: Int, redirections: Int = 0) -> String {
        let chains = ["A", "B", "C"]
        var lines = ["*\(name)"]
        for hook in hooks {
            let isDropping = name == "mangle" && hook == .forward && pick([true] + [Bool](repeating: false, count: 19))
            lines.append(":\(hook.chain) \(isDropping ? "DROP" : "ACCEPT") [0:0]")
        }
        lines += chains.map { ":\($0) - [0:0]" }
        for _ in 0..<rules {
            // PREROUTING is what marks are about.
            let hook = name == "mangle" ? pick([.prerouting, .prerouting, .prerouting] + hooks) : pick(hooks)
            let place = pick([0, 0, 1, 2, 3])
            // Only to later chains, so that none leads in a circle.
            let later = Array(chains.dropFirst(place))
            let rule =
                "-A \(place == 0 ? "\(hook.chain)" : chains[place - 1]) \(match(name, place == 0 ? hook : nil)) "
                + target(name, later, place == 0 ? hook : nil)
            lines.append(rule)
        }
        // Most chains are led to.
        for chain in chains where pick([true, true, false]) && lines.contains(where: { $0.hasPrefix("-A \(chain) ") }) {
            let hook = name == "mangle" ? pick([.prerouting, .prerouting] + hooks) : pick(hooks)
            let place = Int(numbers.next() % UInt64(lines.count - hooks.count - chains.count)) + 1 + hooks.count + chains.count
            lines.insert(
                "-A \(hook.chain) \(pick([true, false]) ? match(name, hook) : "") -\(pick(["j", "j", "j", "g"])) \(chain)",
                at: min(place, lines.count))
        }
        for _ in 0..<redirections {
            let hook = pick([Hook.prerouting, .prerouting, .output])
            lines.append("-A \(hook.chain) \(redirection(hook))")
        }
        return (lines + ["COMMIT", ""]).joined(separator: "\n")
    }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[Int(numbers.next() % UInt64(values.count))] }

    // MARK: - What rules ask for

    /// Addresses of the director, of clients and of servers.
    static func local(_ family: Family) -> [String] {
        family == .ipv4
            ? ["203.0.113.10", "203.0.113.11", "203.0.113.64", "203.0.113.79"]
            : ["2001:db8:113::10", "2001:db8:113::11", "2001:db8:113::64", "2001:db8:113::79"]
    }
    static func remote(_ family: Family) -> [String] {
        family == .ipv4
            ? ["198.51.100.7", "10.1.2.3", "8.8.8.8", "10.9.9.9"]
            : ["2001:db8:51::7", "2001:db8:a:1::3", "2001:4860::8", "2001:db8:a:9::9"]
    }
    static func prefixes(_ family: Family) -> [String] {
        family == .ipv4
            ? ["203.0.113.0/24", "10.0.0.0/8", "203.0.113.8/29", "198.51.100.0/24", "203.0.113.64/28", "10.1.0.0/16"]
            : [
                "2001:db8:113::/48", "2001:db8:a::/48", "2001:db8:113::10/124", "2001:db8:51::/64", "2001:db8:113::60/123",
                "2001:db8:a:1::/64",
            ]
    }
    static let ports: [UInt16] = [21, 80, 443, 10_000, 15_000, 20_000]

    private mutating func prefix() -> String {
        pick(ForeignTables.local(family) + ForeignTables.remote(family).prefix(2) + ForeignTables.prefixes(family))
    }

    private mutating func match(_ table: String, _ hook: Hook?) -> String {
        var words: [String] = []
        if pick([true, true, false]) { words.append(pick(["", "", "", "! "]) + "-d \(prefix())") }
        if pick([true, false, false]) { words.append(pick(["", "", "! "]) + "-s \(prefix())") }
        let comesIn = hook.map { [.prerouting, .input, .forward].contains($0) } ?? true
        let leaves = hook.map { [.postrouting, .output, .forward].contains($0) } ?? true
        if comesIn, pick([true, false, false, false]) {
            words.append(pick(["", "! "]) + "-i \(pick(Director.incoming + ["eth+"]))")
        }
        if leaves, pick([true, false, false, false]) {
            words.append(pick(["", "! "]) + "-o \(pick(Director.outgoing + ["out+"]))")
        }
        if table != "mangle" || pick([true, true, false]) { words += [protocolMatch(), conditions()] }
        return words.filter { !$0.isEmpty }.joined(separator: " ")
    }

    private mutating func protocolMatch() -> String {
        let transport = pick(["", "tcp", "tcp", "udp", "! udp", "\(253)"])
        guard transport == "tcp" || transport == "udp" else { return transport.isEmpty ? "" : dashP(transport) }
        let port = pick(ForeignTables.ports)
        switch pick([0, 1, 2, 3, 4, 5]) {
        case 0: return "-p \(transport) -m \(transport) \(pick(["", "! "]))--dport \(port)"
        case 1: return "-p \(transport) -m \(transport) --dport 10000:20000"
        case 2: return "-p \(transport) -m multiport \(pick(["", "! "]))--dports 80,443,10000:15000"
        case 3: return "-p \(transport) -m \(transport) --sport 1024:65535 --dport \(port)"
        case 4: return "-p \(transport) -m multiport --ports 21,\(port)"
        default: return "-p \(transport)"
        }
    }

    private func dashP(_ text: String) -> String { text.hasPrefix("! ") ? "! -p \(text.dropFirst(2))" : "-p \(text)" }

    private mutating func conditions() -> String {
        func isRare(_ numbers: inout SeededNumbers, _ of: UInt64) -> Bool { numbers.next() % of == 0 }
        var words: [String] = []
        if isRare(&numbers, 5) {
            words.append("-m mark \(pick(["", "! "]))--mark \(pick(["0x50", "0x0", "0x100/0x100", "0x15/0xff", "0x7"]))")
        }
        if isTracking, isRare(&numbers, 12) {
            words.append("-m connmark \(pick(["", "! "]))--mark \(pick(["0x50", "0x0", "0x15/0xff"]))")
        }
        if isTracking, isRare(&numbers, 10) {
            words.append(
                "-m conntrack --ctstate \(pick(["NEW", "RELATED,ESTABLISHED", "INVALID", "NEW,ESTABLISHED", "ESTABLISHED,DNAT"]))")
        }
        if !isTracking, family == .ipv4, isRare(&numbers, 12) { words.append(pick(["-f", "! -f"])) }
        // What no judge can know.
        if hasUnknowns, isRare(&numbers, 60) {
            words.append(
                pick([
                    "-m statistic --mode nth --every 2 --packet 0", "-m addrtype --dst-type LOCAL", "-m length --length 0:50",
                    "-m limit --limit 1/hour --limit-burst 3",
                ]))
        }
        return words.joined(separator: " ")
    }

    // MARK: - What rules do

    private mutating func target(_ table: String, _ chains: [String], _ hook: Hook?) -> String {
        switch table {
        case "nat": translation(chains, hook)
        case "mangle": mangling(chains)
        case "raw": pick(["", "-j RETURN", "-j ACCEPT", "-j DROP", "-j MARK --set-xmark 0x200/0x200"])
        default: pick(["-j ACCEPT", "-j DROP", "-j RETURN", chains.isEmpty ? "" : "-j \(pick(chains))"])
        }
    }

    private mutating func mangling(_ chains: [String]) -> String {
        switch pick(Array(0..<22)) {
        case 0..<10, 19, 20:
            return "-j MARK --set-xmark "
                + pick(["0x50/0xffffffff", "0x15/0xffffffff", "0x100/0x100", "0x7/0xff", "0x4000/0x0", "0x50/0xffffffff"])
        case 10..<13: return chains.isEmpty ? "-j RETURN" : "-j \(pick(chains))"
        case 13: return chains.isEmpty ? "-j RETURN" : "-g \(pick(chains))"
        case 14, 15: return "-j RETURN"
        case 16: return "-j ACCEPT"
        case 17: return pick(["-j DROP", "-j TOS --set-tos 0x10/0x3f", "-j NFLOG", "-j RETURN"])
        case 18 where isTracking:
            return "-j CONNMARK "
                + pick([
                    "--save-mark", "--restore-mark", "--restore-mark --nfmask 0xff --ctmask 0xff", "--set-xmark 0x9/0xf",
                    "--save-mark --nfmask 0xff00 --ctmask 0xff",
                ])
        default: return ""
        }
    }

    /// To one of some servers, or to the director itself; ports go with a protocol that has some.
    private mutating func redirection(_ hook: Hook) -> String {
        let (local, remote) = (ForeignTables.local(family)[1], ForeignTables.remote(family)[1])
        let last = family == .ipv4 ? "10.1.2.6" : "2001:db8:a:1::6"
        let port =
            "-p tcp \(pick(["", "-d \(prefix())"])) -j DNAT --to-destination " + (family == .ipv4 ? remote : "[\(remote)]") + ":443"
        let target = pick([
            "-j DNAT --to-destination \(remote)", hook == .output ? "-j RETURN" : "-j DNAT --to-destination \(local)", "-j ACCEPT",
            pick([true, false, false]) ? "-j DNAT --to-destination \(remote)-\(last)" : "",
        ])
        return pick([port, match("mangle", hook) + " " + target, match("mangle", hook) + " " + target])
    }

    private mutating func translation(_ chains: [String], _ hook: Hook?) -> String {
        let address = family == .ipv4 ? "192.0.2.77" : "2001:db8:77::1"
        let last = family == .ipv4 ? "192.0.2.79" : "2001:db8:77::3"
        // nat has no MASQUERADE in INPUT, and chains may be entered from there.
        let own = hook == .postrouting ? "-j MASQUERADE" : "-j SNAT --to-source \(address)"
        return pick([
            own, own, "-j SNAT --to-source \(address)", "-j SNAT --to-source \(address)-\(last)", "-j ACCEPT", "-j RETURN",
            chains.isEmpty ? "-j RETURN" : "-j \(pick(chains))", chains.isEmpty ? "-j ACCEPT" : "-g \(pick(chains))", "",
        ])
    }
}
