// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Cases/rules").path

private let ftp = """
    ftp:
      - name: ftp
        mark: 21
        addresses: [203.0.113.10]
        passive-ports: 10000-20000
        active: {real-servers: [10.11.12.0/24], to: 203.0.113.10}

    """

private func web(_ mark: String) -> String {
    "services: [{name: web, mark: \(mark), addresses: [203.0.113.10], tcp: [80, 443]}]\n"
}

/// What other programs do to a director's kernel, and what doctor says of it.
struct ScriptCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let file: String
    let script: String
    /// How the findings about other programs' rules begin.
    let findings: [String]
    /// Whether clients do not even have an answer that refuses them.
    var isDropping = false

    static let all: [ScriptCase] = [
        ScriptCase(testDescription: "a mesh VPN, mark 21", file: ftp, script: ". mesh-vpn.sh", findings: []),
        ScriptCase(
            testDescription: "a mesh VPN, a mark with its bits", file: web("0x40050"), script: ". mesh-vpn.sh",
            findings: ["warning  foreign-marks: ", "warning  mark-readers: "]),
        ScriptCase(testDescription: "kube-proxy, mark 80", file: web("80"), script: ". kube-proxy.sh", findings: []),
        ScriptCase(
            testDescription: "kube-proxy, a mark with the bit that it drops by", file: web("40000"), script: ". kube-proxy.sh",
            findings: [
                "problem  mark-readers: `iptables-legacy -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP` drops packets "
                    + "with the bits 0x8000, which the mark 40000 of web has."
            ]),
        ScriptCase(
            testDescription: "no virtual address here", file: web("80"),
            script: "ip addr del 203.0.113.10/32 dev lo; . vip-less.sh", findings: []),
        ScriptCase(
            testDescription: "no virtual address here, src_valid_mark", file: web("80"),
            script: "ip addr del 203.0.113.10/32 dev lo; . vip-less.sh; sysctl -qw net.ipv4.conf.all.src_valid_mark=1",
            findings: ["problem  vip-not-local: net.ipv4.conf.all.src_valid_mark is 1"]),
        ScriptCase(
            testDescription: "policy DROP in INPUT", file: ftp, script: "iptables-legacy -P INPUT DROP",
            findings: [
                "problem  filter-rules: the policy DROP of INPUT in iptables-legacy's table filter drops clients' connections to "
                    + "203.0.113.10, tcp port 21 (ftp)"
            ], isDropping: true),
        ScriptCase(
            testDescription: "policy DROP in FORWARD", file: ftp, script: "iptables-legacy -P FORWARD DROP",
            findings: ["problem  filter-rules: the policy DROP of FORWARD in iptables-legacy's table filter drops "]),
        ScriptCase(
            testDescription: "policy drop of nf_tables at input", file: ftp,
            script: "nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; policy drop; }'",
            findings: [
                "problem  filter-rules: the policy drop of the nf_tables chain inet fw in drops clients' connections to "
                    + "203.0.113.10, tcp port 21 (ftp)"
            ], isDropping: true),
        ScriptCase(
            testDescription: "policy drop of nf_tables at forward", file: ftp,
            script: "nft 'add table ip fw; add chain ip fw onward { type filter hook forward priority 0; policy drop; }'",
            findings: ["problem  filter-rules: the policy drop of the nf_tables chain ip fw onward drops "]),
        ScriptCase(
            testDescription: "firewalld's way: what is translated is let in", file: ftp,
            script: """
                nft 'add table inet fw; add chain inet fw in { type filter hook input priority 10; policy accept; }
                add rule inet fw in ct state established,related accept; add rule inet fw in ct status dnat accept
                add rule inet fw in iifname lo0 accept; add rule inet fw in drop'
                """,
            findings: ["problem  filter-rules: nft rule inet fw in handle "], isDropping: true),
    ]
}

@Suite("Scripts of other programs beside fwmarkd", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct CaseScriptsTests {
    /// The checks that are about other programs' rules.
    private static let checks = [
        "foreign-marks", "mark-readers", "filter-rules", "routing-rules", "rules-before-ours", "nft-translations", "vip-not-local",
    ]

    @Test("doctor names what is in the way, and is silent beside what is not", arguments: ScriptCase.all)
    func doctor(_ test: ScriptCase) async throws {
        try await NetworkNamespace.run { namespace in
            let scratch = try Scratch()
            let file = try scratch.file("fwmarkd.yaml", test.file)
            func run(_ line: String) throws -> End {
                try Program(scratch, in: namespace).run("\(line) --config \(file) --socket \(scratch.path)")
            }
            func isAnswered() throws -> Bool {
                let port = test.file.contains("ftp:") ? 21 : 80
                // 1: refused, as nothing listens; 124: no answer.
                return try namespace.end(of: ["timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/203.0.113.10/\(port)"]).status == 1
            }
            try namespace.run(
                "bash", "-ec",
                """
                ip link add eth0 type veth peer name peer0; ip link set lo up; ip link set eth0 up; ip link set peer0 up
                ip addr add 192.0.2.2/24 dev eth0; ip route add default via 192.0.2.1; ip addr add 203.0.113.10/32 dev lo
                sysctl -qw net.ipv4.ip_forward=1
                """)
            let applied = try run("apply")
            #expect(applied.status == 0, "\(applied.errors)")
            #expect(try isAnswered())
            try namespace.run("bash", "-ec", "cd \(folder); \(test.script)")
            if test.isDropping { #expect(try !isAnswered()) }
            let doctor = try run("doctor")
            let found = doctor.output.split(separator: "\n").filter { line in
                Self.checks.contains { line.hasPrefix("problem  \($0): ") || line.hasPrefix("warning  \($0): ") }
            }
            #expect(found.count == test.findings.count, "\(doctor.output)\(doctor.errors)")
            for finding in test.findings { #expect(found.contains { $0.hasPrefix(finding) }, "\(doctor.output)") }
        }
    }
}
