// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import FoundationEssentials
import NamespaceSupport
import Netlink
import Rules
import SystemCalls
import Testing

@testable import Doctor

@Suite("The facts, gathered in a namespace", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct GatherTests {
    private static func gather(_ files: [String] = []) throws -> Facts {
        try Facts.gather(LoadedConfiguration(configuration: try configuration(healthyConfiguration)), ftpServerFiles: files)
    }

    @Test("Routing rules, routes and addresses are what ip shows")
    func routing() async throws {
        try await NetworkNamespace.run { namespace in
            for line in [
                "link set lo up", "link add eth7 type veth peer name eth8", "address add 203.0.113.2/24 dev eth7",
                "address add 203.0.113.10/24 dev eth7", "address add 2001:db8::2/64 dev eth7 nodad", "link set eth7 up",
                "link set eth8 up", "route add default via 203.0.113.1 metric 7", "rule add fwmark 21 lookup 100",
                "rule add fwmark 0x100/0xff00 lookup 101 priority 55", "-6 rule add fwmark 80 blackhole",
                "route add local default dev lo table 100",
            ] {
                try namespace.run(["ip"] + line.split(separator: " ").map(String.init))
            }
            let state = try RoutingState.read()
            let rules = state.rules.map { "\($0.family) \($0.mark) \($0.mask) \($0.table)" }
            #expect(rules.sorted() == ["ipv4 21 4294967295 100", "ipv4 256 65280 101", "ipv6 80 4294967295 0"])
            #expect(state.rules.first { $0.mark == 256 }?.priority == 55)
            let main = try #require(state.defaults.first { $0.table == 254 })
            #expect(main.gateway?.description == "203.0.113.1" && main.metric == 7 && !main.isLocal)
            #expect(state.defaults.contains { $0.table == 100 && $0.isLocal })
            let own = state.addresses.filter { $0.name == "eth7" && $0.address.family == .ipv4 }
            #expect(own.map(\.address.description) == ["203.0.113.2", "203.0.113.10"])
            #expect(own.map(\.isSecondary) == [false, true])
            #expect(state.masqueradeAddress(.ipv4)?.address.description == "203.0.113.2")
            #expect(state.masqueradeAddress(.ipv6) == nil)
        }
    }

    @Test("Looking changes nothing: no table is made, and none is needed")
    func changesNothing() async throws {
        try await NetworkNamespace.run { _ in
            let facts = try GatherTests.gather()
            for name in ["ip_tables_names", "ip6_tables_names"] {
                #expect(try RegularFile.read("/proc/thread-self/net/\(name)", limit: 4096) == [])
            }
            #expect(facts.settings["net.ipv4.ip_forward"] != nil)
            guard case .known(let missing)? = facts.missing[.ipv4], case .known(let firewall) = facts.firewall else {
                Issue.record("\(facts.missing), \(facts.firewall)")
                return
            }
            #expect(missing == [] && firewall.tables.isEmpty)
            // A namespace of its own begins without other programs.
            let names = Set(Examination(of: facts).findings.map(\.check))
            #expect(names.isDisjoint(with: ["foreign-marks", "mark-readers", "filter-rules", "routing-rules", "nft-translations"]))
        }
    }

    @Test(
        "Rules of iptables-legacy, iptables-nft and nft are seen, with the names that their programs give them",
        arguments: [
            (
                ["iptables-legacy", "-P", "INPUT", "DROP"], "filter-rules",
                "the policy DROP of INPUT in iptables-legacy's table filter drops clients' connections to 203.0.113.10, tcp port 21"
            ),
            (
                ["iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-j", "MARK", "--set-mark", "99"], "foreign-marks",
                "`iptables-legacy -t mangle -A PREROUTING -j MARK --set-xmark 0x63/0xffffffff` changes the mark 21 of packets of ftp"
            ),
            (
                ["iptables-legacy", "-A", "INPUT", "-m", "mark", "--mark", "0x10/0x10", "-j", "DROP"], "mark-readers",
                "`iptables-legacy -A INPUT -m mark --mark 0x10/0x10 -j DROP` drops packets with the bits 0x10"
            ),
            (
                ["iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "21", "-j", "DROP"], "filter-rules",
                "nft rule ip filter INPUT handle "
            ),
            (
                [
                    "iptables-nft", "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "-m", "multiport", "--dports", "21,22", "-j",
                    "MARK", "--set-mark", "7",
                ], "foreign-marks", "nft rule ip mangle PREROUTING handle "
            ),
            (
                ["nft", "add table inet fw; add chain inet fw in { type filter hook input priority 0; policy drop; }"],
                "filter-rules",
                "the policy drop of the nf_tables chain inet fw in drops clients' connections to 203.0.113.10, tcp port 21"
            ),
        ])
    func foreignRules(_ command: [String], _ check: String, _ seen: String) async throws {
        try await NetworkNamespace.run { namespace in
            try namespace.run(command)
            let finding = try #require(Examination(of: try GatherTests.gather()).findings.first { $0.check == check })
            #expect(finding.seen.hasPrefix(seen), "\(finding.seen)")
            #expect(!finding.seen.contains("["), "nothing is without words")
            if command.contains("MARK"), command.contains("7") {
                #expect(finding.seen.contains("-m multiport --dports 21,22 -j MARK --set-xmark 0x7/0xffffffff"), "\(finding.seen)")
            }
        }
    }

    @Test("A file that cannot be read, or is not an FTP server's, is an error")
    func unreadableFiles() async throws {
        try await NetworkNamespace.run { namespace in
            let other = namespace.directory.path + "/other"
            try RegularFile.replace(other, with: Array("hello world\n".utf8), mode: 0o600)
            for (path, reason) in [
                ("/nonexistent/vsftpd.conf", "opening /nonexistent/vsftpd.conf: No such file or directory"),
                (other, "\(other): not a configuration file of vsftpd, ProFTPD or Pure-FTPd"),
                ("/dev/null", "reading /dev/null: it is a device, not a regular file"),
            ] {
                let error = #expect(throws: Facts.UnreadableServerFile.self) { try GatherTests.gather([path]) }
                #expect(error?.description == reason)
            }
        }
    }
}
