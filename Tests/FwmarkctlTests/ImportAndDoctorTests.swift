// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import Testing

@Suite("import and doctor", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct ImportAndDoctorTests {
    private func inNamespace(
        _ body: @escaping @Sendable (Scratch, NetworkNamespace, @Sendable (String) throws -> End) async throws -> Void
    ) async throws {
        try await NetworkNamespace.run { namespace in
            let scratch = try Scratch()
            try await body(scratch, namespace) { line in
                try Program(scratch, in: namespace).run("\(line) --socket \(scratch.path)")
            }
        }
    }

    /// The three rules of FTP and a neighbour's, typed by hand.
    private static let typed = """
        *mangle
        -A PREROUTING -m conntrack --ctstate INVALID -j DROP
        -A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 21 -j MARK --set-mark 21
        -A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 10000:20000 -j MARK --set-mark 21
        COMMIT
        *nat
        -A POSTROUTING -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -j MASQUERADE
        -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
        COMMIT

        """

    /// What import prints of them.
    private static let imported = """
        # Made by `fwmarkctl import`. Give the services names that say what they are.

        ftp:
          - name: ftp
            mark: 21
            addresses: [203.0.113.10]
            passive-ports: 10000-20000
            active:
              real-servers: [10.11.12.0/24]

        masquerade:
          - name: masquerade
            sources: [172.17.0.0/16]
            out-interface: ["!docker0"]

        # Not imported: 1 rule.
        #
        # It sets no mark:
        #     iptables-legacy -t mangle -A PREROUTING -m conntrack --ctstate INVALID -j DROP

        """

    @Test("The kernel's rules become a file that check takes, and --adopt exchanges them for ours; the neighbours' stay")
    func importAndAdopt() async throws {
        try await inNamespace { scratch, namespace, run in
            #expect(try run("import").output.contains("# No rule was found that fwmarkd could take the place of.\n"))
            #expect(try namespace.run("cat", "/proc/thread-self/net/ip_tables_names") == "", "a look must not make a table")
            try namespace.run("iptables-legacy-restore", input: ImportAndDoctorTests.typed)

            let imported = try run("import")
            #expect(imported.status == 0 && imported.errors == "")
            #expect(
                imported.output == ImportAndDoctorTests.imported)
            let file = try scratch.file("imported.yaml", imported.output)
            #expect(try run("check --config \(file)").status == 0)

            let adopted = try run("import --adopt --config \(file)")
            #expect(adopted.status == 0 && adopted.errors == "", "\(adopted.errors)")
            #expect(adopted.output.hasSuffix("\n13 changes: 3 chains added, 6 rules added, 4 rules removed\n"), "\(adopted.output)")
            func rules(_ table: String) throws -> [String] {
                try namespace.run("iptables-legacy", "-t", table, "-S").split(separator: "\n").filter { $0.hasPrefix("-A") }.map(
                    String.init)
            }
            #expect(
                try rules("mangle") == [
                    "-A PREROUTING -j fwmarkd-mark",
                    "-A PREROUTING -m conntrack --ctstate INVALID -j DROP",
                    "-A fwmarkd-hold -m conntrack --ctstate NEW,RELATED,ESTABLISHED -m comment --comment "
                        + "\"keeps connection tracking while nat is reloaded, so that transfers go on\"",
                    "-A fwmarkd-mark -d 203.0.113.10/32 -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp "
                        + "-j MARK --set-xmark 0x15/0xffffffff",
                ])
            #expect(
                try rules("nat") == [
                    "-A POSTROUTING -j fwmarkd-nat",
                    "-A fwmarkd-nat -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -m comment --comment ftp -j MASQUERADE",
                    "-A fwmarkd-nat -s 172.17.0.0/16 ! -o docker0 -m comment --comment masquerade -j MASQUERADE",
                ])
            #expect(try run("plan --config \(file)").status == 0)
            #expect(try run("import --adopt --config \(file)").output.hasPrefix("nothing to do: "))
        }
    }

    @Test("What the file does not stand for stays, and is named")
    func adoptsNoMore() async throws {
        try await inNamespace { scratch, namespace, run in
            try namespace.run("iptables-legacy-restore", input: ImportAndDoctorTests.typed)
            let file = try scratch.file(
                "fwmarkd.yaml", "services: [{name: control, mark: 21, addresses: [203.0.113.10], tcp: [21]}]\n")
            let adopted = try run("import --adopt --config \(file)")
            #expect(adopted.status == 0)
            #expect(
                adopted.errors == """
                    fwmarkctl: \(file) does not take the place of 3 rules, which stay:
                      iptables-legacy -t nat -A POSTROUTING -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -j MASQUERADE
                      iptables-legacy -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
                      iptables-legacy -t mangle -A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 10000:20000 -j MARK --set-xmark 0x15/0xffffffff

                    """)
            let left = try namespace.run("iptables-legacy", "-t", "mangle", "-S", "PREROUTING")
            #expect(!left.contains("--dport 21 ") && left.contains("--dport 10000:20000"))
        }
    }

    @Test("Rules that Debian's iptables made in nf_tables are imported; --adopt leaves them, and says what to type")
    func nfTables() async throws {
        try await inNamespace { scratch, namespace, run in
            try namespace.run("iptables-nft-restore", input: ImportAndDoctorTests.typed)
            try namespace.run(
                "ip6tables-nft", "-t", "mangle", "-A", "PREROUTING", "-d", "2001:db8::10", "-p", "tcp",
                "-m", "multiport", "--dports", "80,443", "-m", "comment", "--comment", "web", "-j", "MARK", "--set-mark", "80")
            let imported = try run("import")
            #expect(imported.status == 0 && imported.errors == "")
            #expect(imported.output.hasPrefix("# These rules are in nf_tables"))
            #expect(
                imported.output.contains("passive-ports: 10000-20000") && imported.output.contains("  - name: web\n    mark: 80\n"))
            #expect(imported.output.contains("#     iptables-nft -t mangle -A PREROUTING -m conntrack --ctstate INVALID -j DROP\n"))

            let file = try scratch.file("imported.yaml", imported.output)
            #expect(try run("check --config \(file)").status == 0)
            let adopted = try run("import --adopt --config \(file)")
            #expect(adopted.status == 1)
            #expect(adopted.errors.contains("nothing was changed: the rules are in nf_tables"))
            #expect(try namespace.run("cat", "/proc/thread-self/net/ip_tables_names") == "")

            // The commands that it names do it.
            #expect(try run("apply --config \(file)").status == 0)
            for line in adopted.errors.split(separator: "\n") where line.contains("-nft -t ") {
                try namespace.run(line.split(separator: " ").map(String.init))
            }
            #expect(try run("import --adopt --config \(file)").output.hasPrefix("nothing to do: "))
            let left = try namespace.run("iptables-nft-save") + namespace.run("ip6tables-nft-save")
            #expect(!left.contains("MARK") && !left.contains("MASQUERADE") && left.contains("INVALID"))
        }
    }

    @Test("A dump is read from a file, and from standard input only what is asked for")
    func fromFile() async throws {
        try await inNamespace { scratch, _, run in
            let dump = try scratch.file("rules.v4", ImportAndDoctorTests.typed)
            #expect(try run("import --from \(dump)").output.contains("passive-ports: 10000-20000"))
            let absent = try run("import --from \(scratch.path)/absent")
            #expect(
                absent.status == 1
                    && absent.errors == "fwmarkctl: opening \(scratch.path)/absent: No such file or directory\n")
            #expect(try run("import --adopt --from \(dump)").status == 64)
        }
    }

    @Test("plan shows a foreign rule in our chain as iptables-legacy prints it")
    func planShowsForeignRules() async throws {
        try await inNamespace { scratch, namespace, run in
            let file = try scratch.file(
                "fwmarkd.yaml", "services: [{name: web, mark: 80, addresses: [203.0.113.10], tcp: [80]}]\n")
            #expect(try run("apply --config \(file)").status == 0)
            let rule = "-s 10.0.0.0/8 -m conntrack --ctstate NEW -m limit --limit 5/min -j ACCEPT"
            try namespace.run(
                ["iptables-legacy", "-t", "mangle", "-A", "fwmarkd-mark"] + rule.split(separator: " ").map(String.init))
            let plan = try run("plan --config \(file)")
            #expect(
                plan.status == 2
                    && plan.output == "- iptables-legacy -t mangle -D fwmarkd-mark 2  # \(rule)\n1 change: 1 rule to remove\n")
        }
    }

    @Test("doctor says what was seen, why it matters and what to type, ends with 1 on problems, and changes nothing")
    func doctor() async throws {
        try await inNamespace { scratch, namespace, run in
            let file = try scratch.file(
                "fwmarkd.yaml", "ftp: [{name: ftp, mark: 21, addresses: [203.0.113.10], passive-ports: 10000-20000}]\n")
            let vsftpd = try scratch.file(
                "vsftpd.conf", "pasv_min_port=10000\npasv_max_port=30000\npasv_address=203.0.113.10\n")
            try namespace.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
            let doctor = try run("doctor --config \(file) --vsftpd-conf \(vsftpd)")
            #expect(doctor.status == 1)
            let finding = """
                problem  ftp-servers: \(vsftpd) has the passive ports 10000-30000, ftp has passive-ports 10000-20000.
                         Data connections to ports outside of the range are not marked, and are refused.
                           write into \(vsftpd): pasv_min_port=10000
                           write into \(vsftpd): pasv_max_port=20000

                """
            #expect(doctor.output.contains(finding), "\(doctor.output)")
            #expect(try namespace.run("cat", "/proc/thread-self/net/ip_tables_names") == "", "a look must not make a table")

            let json = try run("doctor --json --config \(file) --vsftpd-conf \(vsftpd)")
            #expect(json.status == 1)
            let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
            let findings = try #require(object["findings"] as? [[String: Any]])
            #expect(findings.contains { $0["check"] as? String == "ftp-servers" && $0["severity"] as? String == "problem" })
            #expect((object["checks"] as? [String])?.count == 23)

            let metrics = try run("metrics --doctor --config \(file) --vsftpd-conf \(vsftpd)")
            #expect(metrics.status == 0)
            #expect(metrics.output.contains("fwmarkd_doctor_problems{check=\"ftp-servers\"} 1\n"), "\(metrics.output)")
            #expect(metrics.output.contains("fwmarkd_doctor_problems{check=\"ip-forward\"} 0\n"))
            #expect(try run("metrics --vsftpd-conf \(vsftpd)").status == 64)

            let other = try scratch.file("other.conf", "hello world\n")
            #expect(
                try run("doctor --config \(file) --vsftpd-conf \(other)").errors
                    == "fwmarkctl: \(other): not a configuration file of vsftpd, ProFTPD or Pure-FTPd\n")

            let absent = try run("doctor --config \(file) --vsftpd-conf \(scratch.path)/absent")
            #expect(
                absent.status == 1
                    && absent.errors == "fwmarkctl: opening \(scratch.path)/absent: No such file or directory\n")
        }
    }

    @Test("doctor prints ten findings of a check and the number of the others; as JSON it prints all")
    func manyFindings() async throws {
        try await inNamespace { scratch, namespace, run in
            let file = try scratch.file(
                "fwmarkd.yaml", "services: [{name: web, mark: 80, addresses: [203.0.113.10], tcp: [80]}]\n")
            #expect(try run("apply --config \(file)").status == 0)
            let rules = (1...25).map { "-A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 80 -j MARK --set-mark \($0)\n" }
            try namespace.run("iptables-legacy-restore", "-n", input: "*mangle\n\(rules.joined())COMMIT\n")
            let lines = try run("doctor --config \(file)").output.split(separator: "\n")
            #expect(lines.count { $0.contains("  foreign-marks: ") } == 10)
            #expect(lines.contains("foreign-marks: 15 more findings; --json lists all"))
            #expect(try run("doctor --json --config \(file)").output.split(separator: "\"foreign-marks\"").count > 25)
        }
    }
}
