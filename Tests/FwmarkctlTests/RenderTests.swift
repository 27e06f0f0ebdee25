// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import Testing

private let ipv4 = """
    # iptables-legacy: what fwmarkd wants, for iptables-legacy-restore --noflush
    *nat
    :fwmarkd-nat - [0:0]
    -A POSTROUTING -j fwmarkd-nat
    -A fwmarkd-nat -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -m comment --comment ftp -j MASQUERADE
    COMMIT
    *mangle
    :fwmarkd-mark - [0:0]
    :fwmarkd-hold - [0:0]
    -A PREROUTING -j fwmarkd-mark
    -A fwmarkd-mark -d 203.0.113.10/32 -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp -j MARK --set-xmark 0x15/0xffffffff
    -A fwmarkd-mark -d 203.0.113.20/32 -p tcp -m multiport --dports 80,443 -m comment --comment web -j MARK --set-xmark 0x50/0xffffffff
    -A fwmarkd-hold -m conntrack --ctstate NEW,RELATED,ESTABLISHED -m comment --comment "keeps connection tracking while nat is reloaded, so that transfers go on"
    COMMIT

    """
private let ipv6 = """
    # ip6tables-legacy: what fwmarkd wants, for ip6tables-legacy-restore --noflush
    *mangle
    :fwmarkd-mark - [0:0]
    -A PREROUTING -j fwmarkd-mark
    -A fwmarkd-mark -d 2001:db8::20/128 -p tcp -m multiport --dports 80,443 -m comment --comment web -j MARK --set-xmark 0x50/0xffffffff
    COMMIT

    """
private let vsftpdLines = """
    # ftp
    listen=YES
    listen_ipv6=NO
    listen_port=21
    pasv_enable=YES
    pasv_min_port=10000
    pasv_max_port=20000
    pasv_address=203.0.113.10
    port_enable=YES
    connect_from_port_20=YES
    ftp_data_port=20

    """

@Suite("fwmarkctl render")
struct RenderTests {
    private let scratch: Scratch
    private let program: Program
    private let file: String

    init() throws {
        scratch = try Scratch()
        program = Program(scratch)
        file = try scratch.file("fwmarkd.yaml", exampleFile)
    }

    @Test(
        "Each format",
        arguments: [
            ("", ipv4 + ipv6), ("--family ipv4", ipv4), ("--family ipv6", ipv6),
            ("--format ipvsadm", "-A -f 21 -s rr -p 300\n-A -f 80 -s rr -p 300\n-A -f 80 -6 -s rr -p 300\n"),
            ("--format ipvsadm --service ftp", "-A -f 21 -s rr -p 300\n"),
            ("--format vsftpd", vsftpdLines),
        ])
    func golden(_ options: String, _ text: String) throws {
        let end = try program.run("render --config \(file) \(options)")
        #expect(end.status == 0)
        #expect(end.output == text)
    }

    @Test("Commands lead packets into a chain when it is full, and what is special to the shell is quoted")
    func commands() throws {
        let text = """
            services:
              - {name: a.b, mark: 7, addresses: [192.0.2.1], udp: [7], in-interface: "a'$(b) c"}
            """
        let end = try program.run(["render", "--format", "commands", "--config", try scratch.file("bad.yaml", text)])
        #expect(end.status == 1, "no interface has a blank in its name")
        let quoted = try scratch.file("quoted.yaml", text.replacingOccurrences(of: ") c", with: ")"))
        #expect(
            try program.run(["render", "--format", "commands", "--config", quoted]).output == """
                #!/bin/sh
                # What fwmarkd wants, for a kernel that has none of it yet.
                set -e
                iptables-legacy -w -t mangle -N fwmarkd-mark
                iptables-legacy -w -t mangle -A fwmarkd-mark -d 192.0.2.1/32 -i 'a'\\''$(b)' -p udp -m udp --dport 7 -m comment --comment a.b -j MARK --set-xmark 0x7/0xffffffff
                iptables-legacy -w -t mangle -I PREROUTING -j fwmarkd-mark

                """)
    }

    @Test("Real servers that the file names one by one are rendered; what cannot be expressed is reported on standard error")
    func realServers() throws {
        let text = exampleFile.replacingOccurrences(of: "10.11.12.0/24", with: "10.11.12.1, 10.11.12.2, 2001:db8::1")
            .replacingOccurrences(of: "mark: 80", with: "mark: 0x100/0xff00")
        let file = try scratch.file("hosts.yaml", text)
        let end = try program.run("render --format ipvsadm --family ipv4 --config \(file)")
        #expect(
            end.output == """
                -A -f 21 -s rr -p 300
                -a -f 21 -r 10.11.12.1:0 -m -w 1
                -a -f 21 -r 10.11.12.2:0 -m -w 1
                -A -f 256 -s rr -p 300

                """)
        #expect(
            end.errorLines == [
                "fwmarkctl: web: the file names no real servers of mark 256 for IPv4; put yours in, each as "
                    + "\"-a -f 256 -r ADDRESS:0 -m -w 1\"",
                "fwmarkctl: web: IPVS compares all 32 bits of a mark; packets that bear other bits beside 256 do not match",
            ])
        let unknown = try program.run("render --format keepalived --service nosuch --config \(file)")
        #expect(unknown.status == 1)
        #expect(unknown.errorLines == ["fwmarkctl: \(file) has no service \"nosuch\" for the format keepalived"])
    }

    @Test("keepalived accepts its sections", .enabled(if: Tool.exists("keepalived"), "needs Debian's keepalived"))
    func keepalived() throws {
        let known = exampleFile.replacingOccurrences(of: "10.11.12.0/24", with: "10.11.12.1, 10.11.12.2")
        let others = """
            services:
              - {name: dns, mark: 53, addresses: [192.0.2.1], udp: [53]}
              - {name: signal, mark: 54, addresses: [192.0.2.1], sctp: [2905]}
            """
        for text in [exampleFile, known, others] {
            let end = try program.run(["render", "--format", "keepalived", "--config", try scratch.file("k.yaml", text)])
            #expect(end.status == 0)
            let test = try Tool.run(["keepalived", "--config-test", "--use-file", try scratch.file("keepalived.conf", end.output)])
            #expect(test.status == 0, "\(test.output)")
            // The test is one that can fail.
            let bad = end.output.replacingOccurrences(of: "lb_kind NAT", with: "lb_kind NOT")
            #expect(try Tool.run(["keepalived", "--config-test", "--use-file", try scratch.file("bad.conf", bad)]).status != 0)
        }
    }

    @Test(
        "vsftpd accepts its lines",
        .enabled(if: Tool.exists("vsftpd") && NetworkNamespace.isAvailable, "needs root and Debian's vsftpd"))
    func vsftpd() throws {
        let rendered = try program.run(["render", "--format", "vsftpd", "--config", file]).output
        // vsftpd reads the whole file before it finds that nobody is connected to it; as a server it would stay.
        let lines = rendered.replacingOccurrences(of: "listen=YES", with: "listen=NO")
        #expect(lines != rendered)
        let accepted = try Tool.run(["vsftpd", try scratch.file("vsftpd.conf", lines)])
        #expect(accepted.output.contains("must be started from inetd"), "\(accepted.output)")
        let refused = try Tool.run(["vsftpd", try scratch.file("bad.conf", lines + "pasv_min_prot=1\n")])
        #expect(refused.output.contains("unrecognised variable in config file: pasv_min_prot"))
    }
}

/// A program of Debian's.
enum Tool {
    static func exists(_ name: String) -> Bool {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].contains { access("\($0)/\(name)", X_OK) == 0 }
    }

    /// Runs it to its end; all that it says is joined.
    static func run(_ words: [String]) throws -> (status: CInt, output: String) {
        let scratch = try Scratch()
        let file = try scratch.file("output", "")
        guard let output = FileHandle(forUpdatingAtPath: file) else { throw Failure("no file \(file)") }
        // vsftpd speaks to its standard input, for that is the client under inetd.
        let descriptor = output.fileDescriptor
        let program = try SpawnedProgram(
            ["env", "--default-signal=TERM,PIPE", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "timeout", "60"] + words,
            input: descriptor, output: descriptor, errors: descriptor)
        let status = withExtendedLifetime(output) { program.wait() }
        return (status, try String(contentsOfFile: file, encoding: .utf8))
    }
}
