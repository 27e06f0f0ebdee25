// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import Netfilter
import Rules
import Testing

@testable import XTables

/// A rule to be put into a chain of a table, in the words of iptables.
private struct Sample: Sendable, CustomTestStringConvertible {
    let family: Family
    let table: Table
    let chain: String
    let text: String

    var testDescription: String { "\(family.command) -t \(table) -A \(chain) \(text)" }
}

/// What people and programs have in their tables.
private let samples: [Sample] = {
    func both(_ table: Table, _ chain: String, _ texts: String...) -> [Sample] {
        Family.allCases.flatMap { family in texts.map { Sample(family: family, table: table, chain: chain, text: $0) } }
    }
    func only(_ family: Family, _ table: Table, _ chain: String, _ texts: String...) -> [Sample] {
        texts.map { Sample(family: family, table: table, chain: chain, text: $0) }
    }
    return both(
        .mangle, "PREROUTING",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-p tcp -m tcp --dport 80 -m conntrack ! --ctstate NEW -m comment --comment \"kubernetes service \\\"a/b\\\"\" -j RETURN",
        "-p tcp -m comment --comment first -m tcp --dport 80 -j MARK --set-mark 1",
        "-m limit --limit 5/min --limit-burst 10 -j LOG --log-prefix \"[mangle] \" --log-level 7",
        "-m addrtype --dst-type LOCAL ! --src-type LOCAL --limit-iface-in -j fwmarkd-one",
        "-m statistic --mode random --probability 0.33333333349 -g fwmarkd-one",
        "-m statistic --mode nth --every 3 --packet 1 -j RETURN",
        "-m u32 --u32 \"6&0xFF=1\" -j DROP",
        "-m connmark --mark 0x4000/0x4000 -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff00",
        "-m mark ! --mark 0x1/0xf -j CONNMARK --save-mark",
        "-p tcp -m tcp ! --sport 1:1023 ! --dport 80 --tcp-flags SYN,ACK SYN -j MARK --or-mark 4",
        "! -p tcp -j ACCEPT",
        "! -i eth+ -j ACCEPT",
        "-p udp -m multiport ! --dports 53,500:600 -j TOS --set-tos 0x10/0x3f",
        "-p 250 -j DROP",
        "-p gre -j DROP",
        "-p udp -m udp --dport 53 -j TPROXY --on-port 5353 --tproxy-mark 0x1/0x1",
        "-m hashlimit --hashlimit-above 10/sec --hashlimit-burst 20 --hashlimit-mode srcip --hashlimit-name h -j DROP",
        "-m length --length 100:200 -j MARK --xor-mark 3",
        "-m recent --set --name ssh --rsource",
        "-m mac --mac-source 00:11:22:33:44:55",
        "-j MARK --set-xmark 0x0/0xff",
        "-j DSCP --set-dscp 0x0a",
        "-m physdev --physdev-in br0+ -j ACCEPT",
        "-m rpfilter --invert -j DROP",
        "-m socket --transparent -j MARK --set-mark 1",
        "-m time --timestart 08:00:00 --timestop 17:00:00 --weekdays Mon,Tue -j RETURN",
        "-m pkttype --pkt-type multicast -j DROP",
        "-m string --string \"a b\" --algo bm -j DROP",
        "-m connbytes --connbytes 1000:2000 --connbytes-mode bytes --connbytes-dir both -j DROP",
        "-m connlimit --connlimit-above 10 --connlimit-mask 24 --connlimit-saddr -j DROP",
        "-j NFQUEUE --queue-num 3 --queue-bypass",
        "-j NFLOG --nflog-group 2 --nflog-prefix \"x y\"",
        "-m policy --dir in --pol ipsec -j ACCEPT"
    )
        + both(
            .mangle, "POSTROUTING", "-m dscp ! --dscp 0x0a -j CLASSIFY --set-class 1:2",
            "-m owner --uid-owner 0 ! --gid-owner 5 -j ACCEPT", "! -o lo -m owner --socket-exists -j RETURN",
            "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
            "-m cgroup --cgroup 1 -j DROP", "-j CHECKSUM --checksum-fill")
        + both(.mangle, "FORWARD", "-p tcp -m tcp --tcp-flags SYN,RST SYN -m tcpmss --mss 1400:65495 -j TCPMSS --set-mss 1400")
        + only(
            .ipv4, .mangle, "PREROUTING", "-f -j DROP", "! -f -j ACCEPT", "-d 10.0.0.1/255.0.255.0 -j ACCEPT",
            "! -s 10.0.0.0/8 ! -d 192.0.2.1 -j ACCEPT", "! -d 224.0.0.0/4", "-p icmp -m icmp ! --icmp-type 8 -j ACCEPT",
            "-m iprange --src-range 10.0.0.1-10.0.0.9 -j ACCEPT", "-m ttl --ttl-gt 3 -j ACCEPT", "-j TTL --ttl-inc 1",
            "-p tcp -j ECN --ecn-tcp-remove", "! -s 0.0.0.0/0 -j DROP")
        + only(
            .ipv6, .mangle, "PREROUTING", "-d fd00::/ffff::ff00 -j ACCEPT", "! -s fd00::/8 -j ACCEPT",
            "-p ipv6-icmp -m icmp6 --icmpv6-type 134 -j ACCEPT", "-p ipv6-icmp -j ACCEPT", "-m frag --fragmore -j DROP",
            "-m ipv6header --header hop-by-hop --soft -j DROP", "-m hl --hl-lt 3 -j DROP", "-j HL --hl-set 64",
            "-m rt --rt-type 0 -j DROP")
        + only(
            .ipv4, .nat, "PREROUTING", "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080",
            "-d 203.0.113.1/32 -j DNAT --to-destination 10.0.0.1-10.0.0.9 --random --persistent",
            "-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080-8090", "-d 203.0.113.0/24 -j NETMAP --to 10.0.0.0/24")
        + only(
            .ipv6, .nat, "PREROUTING", "-p tcp -m tcp --dport 80 -j DNAT --to-destination [2001:db8::1]:8080",
            "-p udp -j REDIRECT --to-ports 53")
        + only(
            .ipv4, .nat, "POSTROUTING", "-s 10.0.0.0/8 ! -o eth0 -j MASQUERADE --random-fully",
            "-p tcp -j MASQUERADE --to-ports 1024-2048", "-p udp -j SNAT --to-source 192.0.2.1-192.0.2.9:1-9 --random",
            "-m mark --mark 0x4000/0x4000 -m comment --comment \"kubernetes service traffic\" -j MASQUERADE")
        + only(.ipv6, .nat, "POSTROUTING", "-j SNAT --to-source 2001:db8::1-2001:db8::9", "-j MASQUERADE --random-fully")
}()

@Suite(
    "Other programs' rules, judged by iptables-legacy -S", .enabled(if: NetworkNamespace.isAvailable, "needs root"), .serialized)
struct RulePrinterTests {
    @Test("Each is printed as iptables-legacy -S prints it", arguments: samples.indices)
    fileprivate func each(_ index: Int) async throws {
        let sample = samples[index]
        try await NetworkNamespace.run { namespace in
            let command = "\(sample.family.command)-legacy"
            let input = "*\(sample.table)\n:fwmarkd-one - [0:0]\n-A \(sample.chain) \(sample.text)\nCOMMIT\n"
            try namespace.run("\(command)-restore", input: input)
            let expected = try namespace.run(command, "-t", sample.table.rawValue, "-S", sample.chain)
                .split(separator: "\n").filter { $0.hasPrefix("-A") }.map(String.init)
            let rules = try rules(TableID(sample.family, sample.table), ChainName(bytes: sample.chain.utf8))
            #expect(RulePrinter.text(of: rules, sample.family).map { "-A \(sample.chain) \($0)" } == expected)
        }
    }

    @Test("Rules of both families are printed together, whatever their order")
    func together() async throws {
        try await NetworkNamespace.run { namespace in
            var expected: [String] = []
            var content: [(rule: KernelRule.Content, family: Family)] = []
            for family in Family.allCases {
                let reject = "-p tcp -m conntrack --ctstate NEW -j MARK --set-mark 0\n"
                let nat = family == .ipv4 ? "10.0.0.1:80" : "[2001:db8::1]:80"
                try namespace.run(
                    "\(family.command)-legacy-restore",
                    input: "*mangle\n" + String(repeating: "-A PREROUTING \(reject)", count: 50) + "COMMIT\n*nat\n"
                        + String(repeating: "-A PREROUTING -p tcp -j DNAT --to-destination \(nat)\n", count: 50) + "COMMIT\n")
                for table in [Table.nat, .mangle] {
                    expected += try namespace.run("\(family.command)-legacy", "-t", table.rawValue, "-S", "PREROUTING")
                        .split(separator: "\n").dropFirst().map { String($0.dropFirst("-A PREROUTING ".count)) }
                    content += try rules(TableID(family, table), Hook.prerouting.chain).map { ($0, family) }
                }
            }
            let order = content.indices.sorted { $0 % 50 < $1 % 50 }
            #expect(order.count == 200)
            #expect(RulePrinter.text(of: order.map { content[$0] }) == order.map { expected[$0] })
        }
    }

    @Test("What no plugin prints is shown by name and size, and the rest of the rule in full")
    func withoutPlugin() async throws {
        try await NetworkNamespace.run { namespace in
            let input =
                "*mangle\n-A PREROUTING -s 10.0.0.0/8 -m conntrack --ctstate NEW -m length --length 1 -j TTL --ttl-set 3\n"
                + "-A PREROUTING -m length --length 2 -j DROP\nCOMMIT\n"
            try namespace.run("iptables-legacy-restore", input: input)
            let rules = try rules(TableID(.ipv4, .mangle), Hook.prerouting.chain)
            func texts(_ files: [String: Data]) throws -> [String] {
                let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-test-\(UUID().uuidString)")
                try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(at: directory) }
                for (name, data) in files { try data.write(to: directory.appendingPathComponent(name)) }
                return text(rules, directory).map { $0.replacingOccurrences(of: directory.path + "/", with: "") }
            }
            let none = try texts([:])
            #expect(
                none == [
                    "-s 10.0.0.0/8 -m conntrack [168 bytes: no plugin] -m length [8 bytes: no plugin] -j TTL [8 bytes: no plugin]",
                    "-m length [8 bytes: no plugin] -j DROP",
                ])
            let broken = try texts(["libxt_conntrack.so": Data("no library".utf8)])
            #expect(broken[0].contains("-m conntrack [168 bytes: libxt_conntrack.so: ") && broken[0].contains("too short"))
        }
    }

    @Test(
        "A plugin that ends its process costs one answer, and never the program",
        arguments: [
            "exit(3)", "abort()", "*(volatile int *)0 = 0", "xtables_error(OTHER_PROBLEM, \"out of luck\")", "kill(getpid(), 9)",
        ])
    func brokenPlugin(_ end: String) async throws {
        try await NetworkNamespace.run { namespace in
            try namespace.run(
                "iptables-legacy-restore",
                input: "*mangle\n-A PREROUTING -m length --length 1 -j DROP\n-A PREROUTING -m tcpmss --mss 1 -j DROP\n"
                    .replacingOccurrences(of: "-m tcpmss", with: "-p tcp -m tcpmss")
                    + "-A PREROUTING -m length --length 2 -j TTL --ttl-set 9\nCOMMIT\n")
            let rules = try rules(TableID(.ipv4, .mangle), Hook.prerouting.chain)
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-test-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            let source = directory.appendingPathComponent("plugin.c")
            try Data(
                """
                #include <signal.h>
                #include <stdio.h>
                #include <stdlib.h>
                #include <unistd.h>
                #include <xtables.h>
                static void save(const void *ip, const struct xt_entry_match *match) { printf(" lost"); \(end); }
                static struct xtables_match plugin = {
                    .name = "length", .version = XTABLES_VERSION, .family = NFPROTO_UNSPEC, .size = XT_ALIGN(8),
                    .userspacesize = XT_ALIGN(8), .save = save};
                __attribute__((constructor)) static void start(void) { xtables_register_match(&plugin); }
                """.utf8
            ).write(to: source)
            try namespace.run(
                "clang", "-shared", "-fPIC", "-w", "-o", directory.appendingPathComponent("libxt_length.so").path, source.path)
            for plugin in ["libxt_tcpmss.so", "libipt_TTL.so"] {
                try FileManager.default.copyItem(
                    atPath: "\(standardPlugins)/\(plugin)", toPath: directory.appendingPathComponent(plugin).path)
            }
            let reason = end.contains("luck") ? "out of luck" : "the plugin gave up"
            #expect(
                text(rules, directory) == [
                    "-m length [8 bytes: \(reason)] -j DROP", "-p tcp -m tcpmss --mss 1 -j DROP",
                    "-m length [8 bytes: \(reason)] -j TTL --ttl-set 9",
                ])
        }
    }
}

/// The rules with plugins from that directory alone.
private func text(_ rules: [KernelRule.Content], _ directory: URL) -> [String] {
    RulePrinter.text(of: rules.map { ($0, .ipv4) }, pluginDirectories: directory.path)
}

/// Where Debian's libxtables has its plugins.
private let standardPlugins = "/usr/lib/\(machine)-linux-gnu/xtables"

#if arch(arm64)
    private let machine = "aarch64"
#else
    private let machine = "x86_64"
#endif

/// What the chain's rules say.
func rules(_ id: TableID, _ chain: ChainName) throws -> [KernelRule.Content] {
    try #require(try KernelTables().snapshot(id)?[chain]).rules.map(\.content)
}
