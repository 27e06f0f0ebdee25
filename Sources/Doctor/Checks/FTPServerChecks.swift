// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

/// `ip_vs_ftp` rewrites what servers announce; where they announce the virtual address already, data connections go astray.
enum IPVSFTPModule: Check {
    static let name = "ip-vs-ftp"

    static func examine(_ facts: Facts) -> CheckResult {
        // It reads control connections on port 21 that IPVS reaches by NAT.
        let byNAT = facts.configuration.ftp.filter { $0.controlPorts.contains(21) && facts.methods($0.service, $0).contains(.nat) }
        guard !byNAT.isEmpty, facts.modules.contains("ip_vs_ftp") else { return .silent }
        guard !facts.ftpServers.isEmpty else {
            return .notRun("ip_vs_ftp is loaded; give the FTP servers' file with --vsftpd-conf")
        }
        var verdict = CheckResult()
        for file in facts.ftpServers {
            guard case .address(let address) = file.passiveAddress,
                byNAT.contains(where: { $0.addresses.contains { $0.contains(address) } })
            else { continue }
            verdict.findings.append(
                finding(
                    .problem,
                    "the module ip_vs_ftp is loaded, and \(file.path) has \(file.passiveAddressName) \(address), which is the virtual address.",
                    "With both, the data connections of PASV are sent to the wrong place and time out (EPSV works).",
                    "rmmod ip_vs_ftp", "echo 'blacklist ip_vs_ftp' > /etc/modprobe.d/fwmarkd-ip-vs-ftp.conf"))
        }
        return verdict
    }
}

/// What the FTP servers announce must be what our rules let in.
enum FTPServerFiles: Check {
    static let name = "ftp-servers"

    static func examine(_ facts: Facts) -> CheckResult {
        guard !facts.configuration.ftp.isEmpty else { return .silent }
        guard !facts.ftpServers.isEmpty else { return .notRun("the FTP servers' file was not given: --vsftpd-conf PATH") }
        var verdict = CheckResult()
        for file in facts.ftpServers {
            verdict.findings += file.refusals.map {
                finding(.problem, "\(file.path): \($0).", "The server does not start with it.", "edit \(file.path)")
            }
            guard let service = entry(file, facts.configuration.ftp) else {
                verdict.findings.append(
                    finding(
                        .warning,
                        "\(file.path) is of a server on port \(file.controlPort), which no entry below ftp has as control-port.",
                        "Clients of the virtual addresses do not reach it.",
                        "write into \(facts.file(of: facts.configuration.ftp[0].name)): control-port: \(file.controlPort)"))
                continue
            }
            if file.isPassive { verdict.findings += ports(file, service, facts) + address(file, service, facts) }
            if service.active != nil, file.isActive { verdict.findings += active(file, service, facts) }
        }
        return verdict
    }

    /// The entry whose port the server listens on; of several the one whose address it announces, then the one whose ports.
    private static func entry(_ file: FTPServerFile, _ ftp: [FTPService]) -> FTPService? {
        let listening = ftp.filter { $0.controlPorts.contains(file.controlPort) }
        if case .address(let address) = file.passiveAddress,
            let own = listening.first(where: { $0.addresses.contains { $0.contains(address) } })
        {
            return own
        }
        return listening.first { $0.passivePorts == file.passivePorts } ?? listening.first
    }

    private static func ports(_ file: FTPServerFile, _ service: FTPService, _ facts: Facts) -> [Finding] {
        let wanted = service.passivePorts
        // Without limits any port from 1024.
        let announced = file.passivePorts ?? PortRange(1024, 65535)
        if announced.lower < wanted.lower || announced.upper > wanted.upper {
            let shown = file.passivePorts.map { "the passive ports \($0)" } ?? "no limits for passive ports"
            return [
                Finding(
                    check: name, severity: .problem,
                    seen: "\(file.path) has \(shown), \(service.name) has passive-ports \(wanted).",
                    matters: "Data connections to ports outside of the range are not marked, and are refused.",
                    advice: file.advice(passivePorts: wanted))
            ]
        }
        guard announced != wanted, wanted.lower > 1024 || announced.lower > 1024 || announced.upper != wanted.upper else {
            return []
        }
        return [
            finding(
                .warning, "\(file.path) has the passive ports \(announced), \(service.name) has \(wanted).",
                "All that is announced is let in, and more: a connection to one of the other ports comes to a server that does not expect it.",
                "write into \(facts.file(of: service.name)), entry \(service.name): passive-ports: \(announced)")
        ]
    }

    private static func address(_ file: FTPServerFile, _ service: FTPService, _ facts: Facts) -> [Finding] {
        guard let first = service.addresses.first(where: { $0.family == .ipv4 })?.address else {
            // IPv6 has EPSV, which tells no address.
            return []
        }
        if file.announcesZero, service.addresses.contains(where: { $0.family == .ipv4 }) {
            return [
                finding(
                    .problem, "\(file.path) has listen_ipv6=YES without listen=YES: PASV then tells clients the address 0.0.0.0.",
                    "vsftpd leaves pasv_address aside on a socket of IPv6. Clients that do what PASV says, and firewalls that follow FTP, fail.",
                    "write into \(file.path): listen=YES", "write into \(file.path): listen_ipv6=NO")
            ]
        }
        // Where packets reach the server unchanged, it was called by the virtual address and tells it.
        let isUnchanged = !facts.methods(service.service, service).contains(.nat)
        switch file.passiveAddress {
        case .own:
            if isUnchanged { return [] }
            // ip_vs_ftp puts the virtual address in by itself, where connections are tracked.
            if facts.modules.contains("ip_vs_ftp"), facts.tracksConnections(.ipv4), file.controlPort == 21 { return [] }
            return [
                finding(
                    .problem, "\(file.path) has no \(file.passiveAddressName).",
                    "The servers then tell clients their own addresses, which clients of the virtual address cannot reach.",
                    file.advice(passiveAddress: first))
            ]
        case .name: return []
        case .address(let address) where service.addresses.contains { $0.contains(address) }: return []
        case .address(let address):
            return [other(file, "\(address)", service, first)]
        case .invalid(let text): return [other(file, printable(text), service, first)]
        }
    }

    private static func other(_ file: FTPServerFile, _ value: String, _ service: FTPService, _ first: Address) -> Finding {
        finding(
            .problem, "\(file.path) has \(file.passiveAddressName) \(value), which is no address of \(service.name).",
            "Clients open their data connections to that address, where no rule marks them.", file.advice(passiveAddress: first))
    }

    private static func active(_ file: FTPServerFile, _ service: FTPService, _ facts: Facts) -> [Finding] {
        guard let active = service.active else { return [] }
        guard let port = file.dataPort else {
            return [
                finding(
                    .problem, "\(file.path) does not have connect_from_port_20=YES.",
                    "Active data then come from any port, while the rules of \(service.name) are for port "
                        + "\(active.dataPorts.map(String.init).joined(separator: ", ")).",
                    "write into \(file.path): connect_from_port_20=YES")
            ]
        }
        guard !active.dataPorts.contains(port) else { return [] }
        return [
            finding(
                .problem,
                "\(file.path): active data come from port \(port), \(service.name) has data-port "
                    + "\(active.dataPorts.map(String.init).joined(separator: ", ")).",
                "What comes from another port is not translated.",
                "write into \(facts.file(of: service.name)), entry \(service.name), below active: data-port: \(port)")
        ]
    }
}
