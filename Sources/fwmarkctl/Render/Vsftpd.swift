import ConfigurationFile
import Rules

/// What vsftpd.conf(5) on the real servers must say so that it fits an FTP service.
enum Vsftpd {
    static func render(_ service: FTPService) -> String {
        var lines = [
            "# \(service.name)",
            "listen_port=\(service.controlPort)",
            "pasv_enable=YES",
            "pasv_min_port=\(service.passivePorts.lower)",
            "pasv_max_port=\(service.passivePorts.upper)",
        ]
        // The one that PASV announces. EPSV, which IPv6 uses, announces a port alone.
        if let address = service.addresses.first(where: { $0.family == .ipv4 })?.address { lines.append("pasv_address=\(address)") }
        if let active = service.active {
            lines += ["port_enable=YES", "connect_from_port_20=YES", "ftp_data_port=\(active.dataPort)"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What a person has to know beside what is rendered.
    static func remarks(_ service: FTPService) -> [String] {
        let four = service.addresses.filter { $0.family == .ipv4 }
        guard four.count > 1 || four.contains(where: { $0.length < 32 }), let first = four.first else { return [] }
        return [
            "\(service.name): vsftpd announces one address, \(first.address) here; "
                + "clients of the others need a server that announces theirs, or EPSV"
        ]
    }
}
