// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// The FTP servers whose configuration files can say what an FTP service needs of them.
enum FTPServer: Sendable {
    case vsftpd, proftpd, pureFTPd

    /// What the server's file has to say.
    func render(_ service: FTPService) -> String {
        let lines =
            switch self {
            case .vsftpd: FTPServer.vsftpd(service)
            case .proftpd: FTPServer.proftpd(service)
            case .pureFTPd: FTPServer.pureFTPd(service)
            }
        return (["# \(service.name)"] + lines).joined(separator: "\n") + "\n"
    }

    /// vsftpd.conf(5). With `listen_ipv6` PASV would announce 0.0.0.0.
    private static func vsftpd(_ service: FTPService) -> [String] {
        let isIPv4 = service.addresses.contains { $0.family == .ipv4 }
        var lines = [
            "listen=\(isIPv4 ? "YES" : "NO")", "listen_ipv6=\(isIPv4 ? "NO" : "YES")", "listen_port=\(service.controlPort)",
            "pasv_enable=YES", "pasv_min_port=\(service.passive.lower)", "pasv_max_port=\(service.passive.upper)",
        ]
        if let address = service.announced { lines.append("pasv_address=\(address)") }
        if let active = service.active {
            lines += ["port_enable=YES", "connect_from_port_20=YES", "ftp_data_port=\(active.dataPorts.first ?? 20)"]
        } else {
            lines.append("port_enable=NO")
        }
        return lines
    }

    /// proftpd.conf(5). Active data come from the port below the control port.
    private static func proftpd(_ service: FTPService) -> [String] {
        var lines = [
            "Port \(service.controlPort)", "PassivePorts \(service.passive.lower) \(service.passive.upper)",
        ]
        if let address = service.announced { lines.append("MasqueradeAddress \(address)") }
        return lines
    }

    /// pure-ftpd.conf, as of version 1.0.43; Debian has a file for each line in /etc/pure-ftpd/conf.
    private static func pureFTPd(_ service: FTPService) -> [String] {
        var lines = ["PassivePortRange \(service.passive.lower) \(service.passive.upper)"]
        if let address = service.announced { lines.append("ForcePassiveIP \(address)") }
        if service.controlPort != 21 { lines.append("Bind ,\(service.controlPort)") }
        return lines
    }

    /// What a person has to know beside what is rendered.
    func notes(_ service: FTPService) -> [String] {
        var notes: [String] = []
        let four = service.addresses.filter { $0.family == .ipv4 }
        if let address = service.announced, four.count > 1 || four.contains(where: { $0.length < 32 }) {
            notes.append(
                "PASV announces one address, \(address) here; clients of the others need a server that announces theirs, or EPSV")
        }
        if self == .vsftpd, !four.isEmpty, four.count < service.addresses.count {
            notes.append("a second vsftpd with listen=NO and listen_ipv6=YES serves IPv6")
        }
        if service.controlPorts.count > 1 {
            let others = service.controlPorts.dropFirst().map(String.init).joined(separator: ", ")
            notes.append("control port \(others) needs a server of its own (for FTPS: one with implicit TLS)")
        }
        if let port = service.active?.dataPorts.first, let own = dataPort(service), port != own {
            notes.append("this server opens active data connections from port \(own), and the file says data-port \(port)")
        }
        return notes.map { "\(service.name): \($0)" }
    }

    /// The port that active data come from; nil where it can be chosen.
    private func dataPort(_ service: FTPService) -> UInt16? {
        switch self {
        case .vsftpd: nil
        case .proftpd: service.controlPort - 1
        case .pureFTPd: 20
        }
    }
}

extension FTPService {
    /// The first control port.
    fileprivate var controlPort: UInt16 { controlPorts.first ?? 21 }

    /// The passive ports as servers write them, from 1.
    fileprivate var passive: PortRange { passivePorts == .all ? PortRange(1, 65535) : passivePorts }

    /// The address that PASV announces. EPSV, which IPv6 uses, announces a port alone.
    fileprivate var announced: Address? { addresses.first { $0.family == .ipv4 }?.address }
}
