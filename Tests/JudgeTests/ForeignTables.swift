// SPDX-License-Identifier: GPL-2.0-or-later
import RandomConfigurations
import Rules

/// Random mangle tables as other programs make them: chains, conditional jumps, goto, RETURN, verdicts, masks, readers of marks,
/// connections' marks.
struct ForeignTables {
    var numbers: SeededNumbers
    let family: Family
    let interfaces: [String]

    /// The lines of a dump, with built-in chains whose policy is ACCEPT.
    mutating func mangle(rules: Int, connectionMarks: Bool) -> String {
        let chains = ["A", "B", "C"]
        var lines = ["*mangle", ":PREROUTING ACCEPT [0:0]"] + chains.map { ":\($0) - [0:0]" }
        for _ in 0..<rules {
            let chain = pick([0, 0, 1, 2, 3])
            // Only to later chains, so that none leads in a circle.
            let later = Array(chains.dropFirst(chain))
            lines.append("-A \(chain == 0 ? "PREROUTING" : chains[chain - 1]) \(match()) \(target(later, connectionMarks))")
        }
        return (lines + ["COMMIT", ""]).joined(separator: "\n")
    }

    /// Addresses, ports and so on that the rules ask for.
    static let addresses = ["203.0.113.10", "203.0.113.11", "203.0.113.64", "10.1.2.3", "198.51.100.7"]
    static let ports: [UInt16] = [21, 80, 443, 10_000, 15_000, 20_000]

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[Int(numbers.next() % UInt64(values.count))] }

    private mutating func match() -> String {
        var words: [String] = []
        if pick([true, true, false]) { words.append(pick(["", "", "", "! "]) + "-d \(prefix())") }
        if pick([true, false, false]) { words.append(pick(["", "", "! "]) + "-s \(prefix())") }
        if pick([true, false, false, false]) { words.append(pick(["", "! "]) + "-i \(pick(interfaces + ["eth+"]))") }
        let transport = pick(["", "tcp", "tcp", "udp"])
        if !transport.isEmpty {
            words.append("-p \(transport)")
            switch pick([0, 1, 2, 3, 4]) {
            case 0: words.append("-m \(transport) \(pick(["", "! "]))--dport \(pick(ForeignTables.ports))")
            case 1: words.append("-m \(transport) --dport 10000:20000")
            case 2: words.append("-m multiport \(pick(["", "! "]))--dports 80,443,10000:15000")
            case 3: words.append("-m \(transport) --sport 1024:65535 --dport \(pick(ForeignTables.ports))")
            default: break
            }
        }
        if pick([true, false, false, false, false]) {
            words.append("-m mark \(pick(["", "! "]))--mark \(pick(["0x50", "0x0", "0x100/0x100", "0x15/0xff"]))")
        }
        if pick([true] + [Bool](repeating: false, count: 9)) {
            words.append("-m conntrack --ctstate \(pick(["NEW", "RELATED,ESTABLISHED"]))")
        }
        return words.joined(separator: " ")
    }

    private mutating func prefix() -> String {
        pick(ForeignTables.addresses + ["203.0.113.0/24", "10.0.0.0/8", "203.0.113.8/29", "198.51.100.0/24", "203.0.113.64/28"])
    }

    private mutating func target(_ chains: [String], _ connectionMarks: Bool) -> String {
        switch pick(Array(0..<20)) {
        case 0..<9:
            return "-j MARK --set-xmark \(pick(["0x50/0xffffffff", "0x15/0xffffffff", "0x100/0x100", "0x7/0xff", "0x4000/0x0"]))"
        case 9..<12: return chains.isEmpty ? "-j RETURN" : "-j \(pick(chains))"
        case 12: return chains.isEmpty ? "-j RETURN" : "-g \(pick(chains))"
        case 13, 14: return "-j RETURN"
        case 15: return "-j ACCEPT"
        case 16: return "-j DROP"
        case 17 where connectionMarks, 18 where connectionMarks:
            return "-j CONNMARK " + pick(["--save-mark", "--restore-mark", "--restore-mark --nfmask 0xff --ctmask 0xff"])
        default: return ""
        }
    }
}
