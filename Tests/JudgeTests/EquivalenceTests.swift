// SPDX-License-Identifier: GPL-2.0-or-later
import Importer
import Judge
import Rules
import Testing

@Suite("Whether two versions of a table do the same")
struct EquivalenceTests {
    private let mangle = TableID(.ipv4, .mangle)
    private let hook = Hook.prerouting.chain

    /// The first table of a dump.
    private func table(_ text: String) -> [Chain] {
        let found = FoundRules(parsing: "*mangle\n:PREROUTING ACCEPT [0:0]\n\(text)\nCOMMIT\n").tables[mangle] ?? []
        return found.map { Chain($0.name, policy: Hook(chain: $0.name) == nil ? nil : .accept, $0.rules.map(\.rule)) }
    }

    private func compare(_ before: String, _ after: String, _ removed: Set<Int>) -> Equivalence.Result {
        Equivalence.compare(mangle, at: .prerouting, before: table(before), after: table(after), removed: [hook: removed])
    }

    private let ours = ":fwmarkd-mark - [0:0]\n-A PREROUTING -j fwmarkd-mark\n"
    private let mark = "-d 203.0.113.10/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x50/0xffffffff"

    @Test(
        "A rule that moves into our chain, past others",
        arguments: [
            ("", true), ("-A PREROUTING -d 203.0.113.11/32 -j DROP", true), ("-A PREROUTING -p udp -j ACCEPT", true),
            ("-A PREROUTING -s 10.0.0.0/8 -j ACCEPT", false), ("-A PREROUTING -s 10.0.0.0/8 -j DROP", true),
            ("-A PREROUTING -p tcp --dport 80 -j MARK --set-mark 7", false), ("-A PREROUTING -j MARK --or-mark 0x100", false),
            ("-A PREROUTING -m mark --mark 0x50 -j DROP", false), ("-A PREROUTING -m connmark --mark 0x50 -j DROP", true),
            ("-A PREROUTING -j CONNMARK --restore-mark", false), ("-A PREROUTING -j CONNMARK --save-mark", false),
            ("-A PREROUTING -m set --match-set x src -j RETURN", false), ("-A PREROUTING -m set --match-set x src -j DROP", true),
            ("-A PREROUTING -m limit --limit 3/min -j LOG", true), ("-A PREROUTING -p tcp -j TPROXY --on-port 1", false),
            ("-A PREROUTING -i eth0 -p tcp -m multiport --dports 1:79,81:65535 -j ACCEPT", true),
            ("-A PREROUTING -i eth0 -p tcp -m multiport --dports 1:80 -j ACCEPT", false),
            ("-A PREROUTING -f -j ACCEPT", true), ("-A PREROUTING ! -d 203.0.113.0/24 -j ACCEPT", true),
        ])
    func past(_ other: String, _ isEqual: Bool) {
        let count = other.isEmpty ? 0 : 1
        let result = compare("\(other)\n-A PREROUTING \(mark)", "\(ours)\(other)\n-A fwmarkd-mark \(mark)", [count])
        if case .equal = result { #expect(isEqual, "\(other)") } else { #expect(!isEqual, "\(other)") }
        if case .different(let found) = result {
            #expect(
                found[0].inTheWay.map(\.number) == [1] && found[0].removed.count <= 1, "\(found[0].inTheWay) \(found[0].removed)")
        }
    }

    @Test("A connection tracking helper that changes is a difference")
    func helpers() {
        let raw = TableID(.ipv4, .raw)
        func table(_ helper: String) -> [Chain] {
            [Chain(hook, policy: .accept, [Rule(RuleMatch(transport: ProtocolMatch(.tcp)), target: .helper(helper))])]
        }
        func compare(_ after: String) -> Equivalence.Result {
            Equivalence.compare(raw, at: .prerouting, before: table("ftp"), after: table(after), removed: [hook: [0]])
        }
        if case .equal = compare("ftp") {} else { Issue.record("the same helper is taken for another") }
        if case .equal = compare("tftp") { Issue.record("another helper is taken for the same") }
    }

    @Test("A rule without ports is not one with all ports: fragments differ")
    func fragments() {
        let whole = "-d 203.0.113.10/32 -p udp -j MARK --set-mark 80"
        let ported = "-d 203.0.113.10/32 -p udp -m udp --dport 1:65535 -j MARK --set-mark 80"
        if case .equal = compare("-A PREROUTING \(whole)", "\(ours)-A fwmarkd-mark \(ported)", [0]) {
            Issue.record("taken for equal")
        }
        if case .equal = compare("-A PREROUTING \(whole)", "\(ours)-A fwmarkd-mark \(whole)", [0]) { return }
        Issue.record("taken for different")
    }

    @Test("5,000 rules that override one another, 4,000 services each in a chain of its own, 10,000 others: in bounded time")
    func costs() {
        let clock = ContinuousClock()
        var before = "", after = ours
        for index in 0..<4_000 {
            let address = "10.1.\(index >> 8).\(index & 255)/32"
            before += ":KUBE-\(index) - [0:0]\n-A PREROUTING -d \(address) -p tcp -m tcp --dport 80 -j KUBE-\(index)\n"
            before += "-A KUBE-\(index) -j MARK --set-xmark 0x4000/0x4000\n"
            after += ":KUBE-\(index) - [0:0]\n-A PREROUTING -d \(address) -p tcp -m tcp --dport 80 -j KUBE-\(index)\n"
            after += "-A KUBE-\(index) -j MARK --set-xmark 0x4000/0x4000\n"
        }
        let took = clock.measure {
            let result = Equivalence.compare(
                mangle, at: .prerouting, before: table(before + "-A PREROUTING \(mark)"),
                after: table(after + "-A fwmarkd-mark \(mark)"),
                removed: [hook: [4_000]])
            if case .equal = result { return }
            Issue.record("\(result)")
        }
        print("4,000 services beside one rule: \(took)")
        var (rules, moved) = ("", ours)
        for index in 0..<2_000 {
            rules +=
                "-A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport \(index + 1):\(60_000 - index) -j MARK --set-mark \(index + 1)\n"
            moved +=
                "-A fwmarkd-mark -d 203.0.113.10/32 -p tcp -m tcp --dport \(index + 1):\(60_000 - index) -j MARK --set-mark \(index + 1)\n"
        }
        let long = clock.measure {
            let result = Equivalence.compare(
                mangle, at: .prerouting, before: table(rules), after: table(moved), removed: [hook: Set(0..<2_000)])
            if case .equal = result { return }
            Issue.record("\(result)")
        }
        print("2,000 rules that override one another: \(long)")
    }
}
