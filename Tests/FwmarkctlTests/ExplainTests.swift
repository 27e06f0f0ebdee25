// SPDX-License-Identifier: GPL-2.0-or-later
import API
import NamespaceSupport
import Testing

private let masqueraded = "masquerade: an address of the interface that it leaves by, by ftp"

@Suite("fwmarkctl explain")
struct ExplainTests {
    private let scratch: Scratch
    private let file: String

    init() throws {
        scratch = try Scratch()
        file = try scratch.file(
            "fwmarkd.yaml",
            exampleFile + "\nmasquerade:\n  - {name: out, sources: [10.0.0.0/8], out-interface: eth1, to: 192.0.2.9}\n")
    }

    private static let ftpRule =
        "fwmarkd-mark 1: -d 203.0.113.10/32 -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp "
        + "-j MARK --set-xmark 0x15/0xffffffff"

    /// The program in a namespace whose kernel has the file's rules, and a question about a control connection.
    private static func applied(
        _ file: String, _ scratch: Scratch, in namespace: NetworkNamespace
    ) throws -> (program: Program, line: String) {
        let program = Program(scratch, in: namespace)
        #expect(try program.run("apply --config \(file) --socket \(scratch.path)").status == 0)
        let ends = "--source 198.51.100.7:40000 --destination 203.0.113.10:21"
        return (program, "explain --kernel --config \(file) --protocol tcp \(ends)")
    }

    @Test("A passive data connection gets the mark, by the rule and the line of the file")
    func marked() throws {
        let end = try Program(scratch).run(
            "explain --config \(file) --protocol tcp --source 198.51.100.7:40000 --destination 203.0.113.10:10050")
        #expect(end.status == 0 && end.errors == "")
        #expect(end.output.hasPrefix("mark    21 (0x15), by ftp\n"))
        #expect(end.output.contains("\(Self.ftpRule)\n            ftp, \(file):2:5\n"))
        #expect(end.output.hasSuffix("source  unchanged\n        POSTROUTING 1: -j fwmarkd-nat\n"))
    }

    @Test(
        "Each answer",
        arguments: [
            ("tcp", "198.51.100.7:1", "203.0.113.10:22", nil, "none", "unchanged"),
            ("udp", "198.51.100.7:1", "203.0.113.10:21", nil, "none", "unchanged"),
            ("tcp", "[2001:db8::7]:1", "[2001:db8::20]:443", nil, "80 (0x50), by web", "unchanged"),
            ("tcp", "10.11.12.9:20", "198.51.100.7:4000", nil, "none", masqueraded),
            ("tcp", "10.11.12.9:21", "198.51.100.7:4000", "eth1", "none", "192.0.2.9, by out"),
            ("tcp", "10.11.12.9:21", "198.51.100.7:4000", "eth2", "none", "unchanged"),
            ("icmp", "10.1.1.1", "198.51.100.7", "eth1", "none", "192.0.2.9, by out"),
        ] as [(String, String, String, String?, String, String)])
    func answers(
        _ transport: String, _ source: String, _ destination: String, _ outInterface: String?, _ mark: String, _ translation: String
    ) throws {
        var words = ["explain", "--config", file, "--protocol", transport, "--source", source, "--destination", destination]
        if let outInterface { words += ["--out-interface", outInterface] }
        let lines = try Program(scratch).run(words).output.split(separator: "\n")
        #expect(lines.contains("mark    \(mark)") && lines.contains("source  \(translation)"), "\(lines)")
    }

    @Test("A result that depends on an interface that was not given says so")
    func undecided() throws {
        let line = "explain --config \(file) --protocol icmp --source 10.1.1.1 --destination 198.51.100.7"
        let output = try Program(scratch).run(line).output
        #expect(
            output.contains("source  unknown, rule 2 of fwmarkd-nat, table nat depends on the interface that the packet leaves by"))
        #expect(
            output.contains(
                "fwmarkd-nat 2: -s 10.0.0.0/8 -o eth1 -m comment --comment out -j SNAT --to-source 192.0.2.9 (may match)"))
    }

    @Test("As JSON")
    func json() throws {
        let end = try Program(scratch).run(
            "explain --json --config \(file) --protocol tcp --source 198.51.100.7:40000 --destination 203.0.113.10:21")
        let answer = try JSON.decode(Explanation.self, from: Array(end.output.utf8))
        #expect(answer.view == .configuration && answer.mark.value == 21 && answer.mark.service == "ftp")
        let step = answer.steps.first { $0.owner == "ftp" }
        #expect(step?.position == "\(file):2:5" && step?.chain == "fwmarkd-mark" && step?.markAfter == 21)
    }

    @Test(
        "--kernel answers by what is in force, and names what stands before it",
        .enabled(if: NetworkNamespace.isAvailable, "needs root"))
    func kernel() async throws {
        let (scratch, file) = (scratch, file)
        try await NetworkNamespace.run { namespace in
            let program = Program(scratch, in: namespace)
            let line = "explain --kernel --config \(file) --protocol tcp --source 198.51.100.7:40000 --destination 203.0.113.10:21"
            let nothing = try program.run(line)
            #expect(nothing.status == 0)
            #expect(nothing.output.contains("note    iptables-legacy -t mangle: no jump into fwmarkd-mark is in PREROUTING"))
            #expect(nothing.output.contains("mark    none"))

            #expect(try program.run("apply --config \(file) --socket \(scratch.path)").status == 0)
            let applied = try program.run(line).output
            #expect(applied.hasPrefix("mark    21 (0x15), by ftp\n") && applied.contains(Self.ftpRule))
            let arrived = try program.run(line + " --hook input").output
            #expect(arrived.hasPrefix("mark    21 (0x15), by ftp\n"), "INPUT comes after PREROUTING: \(arrived)")

            // Another program's rule after our jump decides, and is named.
            try namespace.run("iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-j", "MARK", "--set-mark", "99")
            let overridden = try program.run(line).output
            #expect(overridden.hasPrefix("mark    99 (0x63), by rule 2 of PREROUTING, table mangle\n"), "\(overridden)")
            try namespace.run("iptables-legacy", "-t", "mangle", "-D", "PREROUTING", "2")

            // One before it that lets the packet pass is why there is no mark.
            try namespace.run("iptables-legacy", "-t", "mangle", "-I", "PREROUTING", "-s", "198.51.100.7", "-j", "ACCEPT")
            let ended = try program.run(line).output
            #expect(ended.hasPrefix("mark    none, by rule 1 of PREROUTING, table mangle\n"), "\(ended)")
            try namespace.run("iptables-legacy", "-t", "mangle", "-D", "PREROUTING", "1")

            // One whose match is not understood leaves the answer open, and is named with that match.
            try namespace.run(
                "iptables-legacy", "-t", "mangle", "-I", "PREROUTING", "-p", "tcp", "-m", "string", "--algo", "bm", "--string",
                " -i eth0", "-j", "ACCEPT")
            let string = try program.run(line).output
            #expect(
                string.hasPrefix(
                    "mark    unknown, rule 1 of PREROUTING, table mangle depends on -m string, which is not understood\n"),
                "\(string)")
            try namespace.run("iptables-legacy", "-t", "mangle", "-D", "PREROUTING", "1")

            try namespace.run("iptables-legacy", "-t", "mangle", "-I", "PREROUTING", "-p", "icmp", "-j", "ACCEPT")
            try namespace.run("iptables-legacy", "-t", "mangle", "-D", "fwmarkd-mark", "1")
            let drifted = try program.run(line).output
            #expect(drifted.contains("mark    none"))
        }
    }

    @Test(
        "--kernel: a packet that is dropped, or may be, has no mark",
        .enabled(if: NetworkNamespace.isAvailable, "needs root"))
    func dropped() async throws {
        let (scratch, file) = (scratch, file)
        try await NetworkNamespace.run { namespace in
            let (program, line) = try Self.applied(file, scratch, in: namespace)
            try namespace.run(
                ["iptables-legacy"]
                    + "-t mangle -I PREROUTING -m string --string x --algo bm -j DROP".split(separator: " ").map(String.init))
            // What comes after a rule that may drop is no answer either.
            try namespace.run("iptables-legacy", "-t", "mangle", "-A", "INPUT", "-j", "MARK", "--set-mark", "7")
            for hook in ["", " --hook input"] {
                let doubtful = try program.run(line + hook).output
                #expect(doubtful.hasPrefix("mark    unknown"), "\(doubtful)")
            }
            try namespace.run("iptables-legacy", "-t", "mangle", "-R", "PREROUTING", "1", "-s", "198.51.100.7", "-j", "DROP")
            let dropped = try program.run(line).output
            #expect(dropped.hasPrefix("mark    the packet is dropped, by rule 1 of PREROUTING"), "\(dropped)")
            #expect(dropped.contains("source  the packet is dropped") && !dropped.contains("POSTROUTING"), "\(dropped)")
        }
    }

    @Test(
        "--kernel carries translated destinations on, and tells what holds for the first packet of a connection alone",
        .enabled(if: NetworkNamespace.isAvailable, "needs root"))
    func translations() async throws {
        let (scratch, file) = (scratch, file)
        try await NetworkNamespace.run { namespace in
            let (program, line) = try Self.applied(file, scratch, in: namespace)
            func iptables(_ line: String) throws {
                try namespace.run(["iptables-legacy"] + line.split(separator: " ").map(String.init))
            }
            let forwarded = line.replacing("203.0.113.10:21", with: "192.0.2.80:80")
            try iptables("-t nat -A POSTROUTING -d 10.9.8.7 -p tcp --dport 8080 -j MASQUERADE")
            #expect(try program.run(forwarded).output.contains("source  unchanged\n"))
            try iptables("-t nat -A PREROUTING -d 192.0.2.80 -p tcp -j DNAT --to-destination 10.9.8.7:8080")
            let redirected = try program.run(forwarded).output
            let masquerade = "source  masquerade: an address of the interface that it leaves by, by rule 2 of POSTROUTING"
            #expect(redirected.contains(masquerade), "\(redirected)")
            #expect(redirected.contains("note    this is the first packet of its connection; later ones keep its translation"))

            // No address of a range is guessed.
            try iptables("-t nat -R PREROUTING 1 -d 192.0.2.80 -p tcp -j DNAT --to-destination 10.9.8.7-10.9.8.9:8080")
            let open = try program.run(forwarded).output
            let reason = "depends on the destination that IPVS or a translation has given the packet"
            #expect(open.contains("source  unknown, rule 2 of POSTROUTING, table nat \(reason)\n"), "\(open)")
            try iptables("-t nat -F PREROUTING")
            try iptables("-t nat -D POSTROUTING 2")

            // A rule for what is established says nothing of a first packet, and is told.
            #expect(try !program.run(line).output.contains("note "))
            try iptables("-t mangle -I PREROUTING -m conntrack --ctstate ESTABLISHED -j ACCEPT")
            let answer = try JSON.decode(Explanation.self, from: Array(try program.run(line + " --json").output.utf8))
            #expect(answer.mark.value == 21)
            #expect(answer.notes.contains { $0.hasPrefix("this is the first packet of its connection") })
        }
    }
}
