import ConfigurationFile
import Netlink
import Rules

/// `ip_vs_ftp` rewrites what the servers announce; where they announce the VIP already, it makes a mess of it.
enum IPVSFTPModule: Check {
    static let name = "ip-vs-ftp"

    static func examine(_ facts: Facts) -> Verdict {
        guard !facts.configuration.ftp.isEmpty, facts.modules.contains("ip_vs_ftp") else { return .silent }
        guard let vsftpd = facts.vsftpd else { return .notRun("ip_vs_ftp is loaded; give the servers' file with --vsftpd-conf") }
        guard let address = vsftpd.passiveAddress, facts.configuration.ftpService(of: address) != nil else { return .silent }
        var verdict = Verdict()
        verdict.findings.append(
            finding(
                .problem, "the module ip_vs_ftp is loaded, and \(vsftpd.path) has pasv_address=\(address), which is the VIP.",
                "With both, the data connections of PASV are sent to the wrong place and time out (EPSV works).",
                "rmmod ip_vs_ftp", "echo 'blacklist ip_vs_ftp' > /etc/modprobe.d/fwmarkd.conf"))
        return verdict
    }
}

/// Active data that come from another address than the one the client has called.
enum MasqueradeAddress: Check {
    static let name = "masquerade-address"

    static func examine(_ facts: Facts) -> Verdict {
        let services = facts.configuration.ftp.filter { $0.active?.to == .masquerade }
        guard !services.isEmpty else { return .silent }
        let routing: RoutingState
        switch facts.routing {
        case .known(let known): routing = known
        case .unknown(let reason): return .notRun(reason)
        }
        var verdict = Verdict()
        for service in services {
            for family in Family.allCases {
                let addresses = service.addresses.filter { $0.family == family }
                guard !addresses.isEmpty, service.active?.realServers.contains(where: { $0.family == family }) == true else {
                    continue
                }
                guard let primary = routing.masqueradeAddress(family) else {
                    verdict.notRun.append("no \(family) default route says where clients of \(service.name) are")
                    continue
                }
                guard !addresses.contains(where: { $0.contains(primary.address) }) else { continue }
                let address = addresses[0].address
                verdict.findings.append(
                    finding(
                        .warning,
                        "active FTP of \(service.name) leaves by \(primary.name) with the source \(primary.address), while clients have called \(addresses[0]).",
                        "Clients that compare the two (lftp), and firewalls before them, refuse the data connection.",
                        "write into \(service.position.file), entry \(service.name), below active: `to: \(address)`"))
            }
        }
        return verdict
    }
}

/// What the FTP servers announce must be what our rules let in.
enum VsftpdSettings: Check {
    static let name = "vsftpd-conf"

    static func examine(_ facts: Facts) -> Verdict {
        guard !facts.configuration.ftp.isEmpty else { return .silent }
        guard let vsftpd = facts.vsftpd else { return .notRun("the FTP servers' file was not given; --vsftpd-conf PATH") }
        // One file, one service: the one whose address it announces, else the one whose ports, else the first.
        let ftp = facts.configuration.ftp
        let service =
            vsftpd.passiveAddress.flatMap { facts.configuration.ftpService(of: $0) }
            ?? ftp.first { $0.passivePorts == vsftpd.passivePorts } ?? ftp[0]
        var verdict = Verdict()
        if vsftpd.isOn("pasv_enable", default: true) { verdict.findings += passive(vsftpd, service, facts) }
        if service.active != nil, vsftpd.isOn("port_enable", default: true) { verdict.findings += active(vsftpd, service) }
        return verdict
    }

    private static func passive(_ vsftpd: VsftpdConfiguration, _ service: FTPService, _ facts: Facts) -> [Finding] {
        var findings: [Finding] = []
        let wanted = service.passivePorts
        let announced = vsftpd.passivePorts
        let isWithin = announced.lower >= wanted.lower && announced.upper <= wanted.upper
        // An unset limit is any port from 1024 (vsftpd.conf(5)).
        let lower = vsftpd.port("pasv_min_port") == 0 ? 1024 : announced.lower
        if lower < wanted.lower || announced.upper > wanted.upper {
            let shown = vsftpd.port("pasv_min_port") == 0 && vsftpd.port("pasv_max_port") == 0 ? "no limits" : "\(announced)"
            findings.append(
                finding(
                    .problem, "\(vsftpd.path) has \(shown) for passive ports, \(service.name) has passive-ports \(wanted).",
                    "Data connections to ports outside of the range are not marked, and are refused.",
                    "write into \(vsftpd.path): pasv_min_port=\(wanted.lower)",
                    "write into \(vsftpd.path): pasv_max_port=\(wanted.upper)"))
        } else if isWithin, announced != wanted {
            findings.append(
                finding(
                    .warning, "\(vsftpd.path) has passive ports \(announced), \(service.name) has \(wanted).",
                    "All that is announced is let in, but more ports than needed are: a connection to one of those comes to a server that does "
                        + "not expect it.",
                    "write into the entry \(service.name): passive-ports: \(announced)"))
        }
        let advice = "write into \(vsftpd.path): pasv_address=\(service.addresses.first?.address.description ?? "VIP")"
        guard let text = vsftpd.settings["pasv_address"] else {
            // ip_vs_ftp puts the VIP in by itself.
            guard !facts.modules.contains("ip_vs_ftp") else { return findings }
            findings.append(
                finding(
                    .problem, "\(vsftpd.path) has no pasv_address.",
                    "The servers then tell clients their own addresses, which clients of the VIP cannot reach.",
                    advice))
            return findings
        }
        // A name is looked up by the server itself.
        let isName = vsftpd.passiveAddress == nil && vsftpd.isOn("pasv_addr_resolve", default: false)
        if !isName, vsftpd.passiveAddress.flatMap({ facts.configuration.ftpService(of: $0) }) == nil {
            findings.append(
                finding(
                    .problem, "\(vsftpd.path) has pasv_address=\(text), which is no address of \(service.name).",
                    "Clients open their data connections to that address, where no rule marks them.", advice))
        }
        return findings
    }

    private static func active(_ vsftpd: VsftpdConfiguration, _ service: FTPService) -> [Finding] {
        guard let active = service.active else { return [] }
        if !vsftpd.isOn("connect_from_port_20", default: false) {
            return [
                finding(
                    .problem, "\(vsftpd.path) does not have connect_from_port_20=YES.",
                    "Active data then come from any port, the translation of \(service.name) waits for port \(active.dataPort), and clients see "
                        + "a real server's address or nothing.",
                    "write into \(vsftpd.path): connect_from_port_20=YES")
            ]
        }
        let port = vsftpd.settings["ftp_data_port"] == nil ? 20 : vsftpd.port("ftp_data_port")
        guard port != active.dataPort else { return [] }
        return [
            finding(
                .problem, "\(vsftpd.path) has ftp_data_port=\(port), \(service.name) has data-port \(active.dataPort).",
                "Active data come from a port that is not translated.",
                "write into the entry \(service.name), below active: data-port: \(port)")
        ]
    }
}

extension Configuration {
    /// The FTP service that the address belongs to.
    fileprivate func ftpService(of address: Address) -> FTPService? {
        ftp.first { $0.addresses.contains { $0.contains(address) } }
    }
}
