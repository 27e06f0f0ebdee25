// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import Rules
import Testing

/// How a client transfers a file.
private enum Mode: String, CaseIterable {
    case eprt, port, epsv, pasv

    var isActive: Bool { self == .eprt || self == .port }
    var curlOptions: [String] {
        switch self {
        case .eprt: ["--ftp-port", "-"]
        case .port: ["--ftp-port", "-", "--disable-eprt"]
        case .epsv: ["--ftp-pasv"]
        case .pasv: ["--ftp-pasv", "--disable-epsv"]
        }
    }
}

/// FTP with vsftpd and curl. In the place of IPVS is a translation of the destination of what bears the mark: there is one
/// real server, so nothing has to be kept together.
@Suite("Real FTP through the director", .serialized, .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct FTPTests {
    @Test("With the example's rules every mode works, without its parts the modes fail that need them")
    func transfers() async throws {
        let example = try String(contentsOf: repository.appendingPathComponent("Configs/examples/ftp.yaml"), encoding: .utf8)
        try await Testbed.run { bed in
            try await bed.director.enter {
                try bed.director.run(
                    lines: """
                        iptables-legacy -t nat -A PREROUTING -m mark --mark 21 -j DNAT --to-destination 10.11.12.2
                        """)
            }
            let server = try await bed.server.enter { try bed.startServer() }
            defer { server.signal(SIGTERM) }
            func check(_ situation: String, _ works: (Mode) -> Bool) async throws {
                for mode in Mode.allCases {
                    let end = try await bed.client.enter { try bed.fetch(mode) }
                    #expect((end.status == 0) == works(mode), "\(situation), \(mode): status \(end.status): \(end.output)")
                    if end.status == 0 { #expect(end.output == contents) }
                }
            }

            try await check("without rules") { _ in false }
            try await bed.director.enter { try await bed.director.apply(example) }
            try await check("with all rules") { _ in true }
            #expect(server.isRunning)

            let withoutActive = example.replacing(#/ +active:\n +real-servers.*\n/#, with: "")
            #expect(withoutActive != example)
            try await bed.director.enter { try await bed.director.apply(withoutActive) }
            try await check("without the translation") { !$0.isActive }

            let withoutRange = example.replacing("passive-ports: 10000-20000", with: "passive-ports: 10000")
            #expect(withoutRange != example)
            try await bed.director.enter { try await bed.director.apply(withoutRange) }
            try await check("without the range") { $0.isActive }

            try await bed.director.enter { try await bed.director.apply(example) }
            try await check("with all rules again") { _ in true }
        }
    }
}

private let contents = String(repeating: "One firewall mark for everything that belongs to the service.\n", count: 2000)

extension Testbed {
    /// Starts vsftpd, as Configs/examples/ftp.yaml asks for, and waits until it listens.
    fileprivate func startServer() throws -> RunningProgram {
        let files = FileManager.default
        for name in ["pub", "empty"] {
            try files.createDirectory(at: server.directory.appendingPathComponent(name), withIntermediateDirectories: true)
        }
        try contents.write(to: server.directory.appendingPathComponent("pub/file"), atomically: false, encoding: .utf8)
        for (name, mode) in [("", 0o755), ("pub", 0o755), ("pub/file", 0o644), ("empty", 0o755)] {
            try files.setAttributes([.posixPermissions: mode], ofItemAtPath: server.directory.appendingPathComponent(name).path)
        }
        let file = server.directory.appendingPathComponent("vsftpd.conf")
        try """
        listen=YES
        background=NO
        anonymous_enable=YES
        local_enable=NO
        no_anon_password=YES
        ftp_username=daemon
        anon_root=\(server.directory.path)/pub
        secure_chroot_dir=\(server.directory.path)/empty
        connect_from_port_20=YES
        pasv_min_port=10001
        pasv_max_port=20000
        pasv_address=203.0.113.10
        connect_timeout=5
        accept_timeout=5

        """.write(to: file, atomically: false, encoding: .utf8)
        let program = try server.start(["vsftpd", file.path])
        let deadline = ContinuousClock.now + .seconds(10)
        // A server tells nobody when it listens.
        while (try? TestSocket.connect(to: try Testbed.addresses(.ipv4).server, port: 21)) == nil {
            guard program.isRunning, ContinuousClock.now < deadline else { throw Failure("vsftpd: \(program.output)") }
            usleep(10_000)
        }
        return program
    }

    /// Fetches the file.
    fileprivate func fetch(_ mode: Mode) throws -> (status: CInt, output: String) {
        try client.end(
            of: ["curl", "--silent", "--show-error", "--max-time", "3", "--noproxy", "*"] + mode.curlOptions
                + ["ftp://203.0.113.10/file"])
    }
}
