// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension FTPServerFile {
    /// Settings that only vsftpd has and every file of it has one of.
    private static let known: Set<String> = [
        "listen", "listen_ipv6", "listen_port", "anonymous_enable", "local_enable", "write_enable", "pasv_enable", "pasv_min_port",
        "pasv_max_port", "pasv_address", "pasv_addr_resolve", "port_enable", "connect_from_port_20", "ftp_data_port",
        "chroot_local_user",
        "xferlog_enable", "ssl_enable", "implicit_ssl", "secure_chroot_dir", "pam_service_name", "dirmessage_enable", "background",
    ]
    private static let switches: Set<String> = [
        "listen", "listen_ipv6", "pasv_enable", "pasv_addr_resolve", "port_enable", "connect_from_port_20", "implicit_ssl",
    ]

    /// A vsftpd.conf as vsftpd's own reader takes it (`parseconf.c`): `name=value`, blanks before the name are skipped, blanks around
    /// the sign are not; a comment is a line whose first byte is `#`; names count in lower case alone; of equal ones the last counts;
    /// a number that begins with 0 is octal.
    init?(vsftpd path: String, _ lines: [String]) {
        self.init(path, .vsftpd)
        var settings: [String: String] = [:]
        var isOurs = false
        for line in lines where !line.hasPrefix("#") {
            let body = line.drop { $0.isASCII && $0.isWhitespace }
            guard !body.isEmpty else { continue }
            let halves = body.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(halves[0])
            if FTPServerFile.known.contains(name), halves.count == 2 {
                isOurs = true
                settings[name] = String(halves[1])
            } else if FTPServerFile.known.contains(name.lowercased().filter { $0 != " " && $0 != "\t" }) {
                isOurs = isOurs || halves.count == 2
                refusals.append("vsftpd does not know the setting \"\(printable(name))\"")
            }
        }
        guard isOurs else { return nil }
        for (name, value) in settings.sorted(by: { $0.key < $1.key })
        where FTPServerFile.switches.contains(name) && FTPServerFile.isOn(value) == nil {
            refusals.append("vsftpd takes no value \"\(printable(value))\" for \(name)")
        }
        func isOn(_ name: String, _ otherwise: Bool) -> Bool { settings[name].flatMap(FTPServerFile.isOn) ?? otherwise }
        controlPort = FTPServerFile.port(settings["listen_port"]) ?? (isOn("implicit_ssl", false) ? 990 : 21)
        isPassive = isOn("pasv_enable", true)
        let lower = FTPServerFile.port(settings["pasv_min_port"]) ?? 0
        let upper = FTPServerFile.port(settings["pasv_max_port"]) ?? 0
        if lower > 0 || upper > 0 {
            // vsftpd takes 1024 at least, and at most 65535 where nothing is said.
            passivePorts = PortRange(max(lower, 1024), max(max(lower, 1024), upper == 0 ? 65535 : upper))
        }
        if let text = settings["pasv_address"], !text.isEmpty {
            if let address = try? Address(parsing: text) {
                passiveAddress = address.family == .ipv4 ? .address(address) : .invalid(text)
            } else {
                passiveAddress = isOn("pasv_addr_resolve", false) ? .name(text) : .invalid(text)
            }
        }
        isActive = isOn("port_enable", true)
        if isOn("connect_from_port_20", false) { dataPort = FTPServerFile.port(settings["ftp_data_port"]) ?? 20 }
        announcesZero = isOn("listen_ipv6", false) && !isOn("listen", false)
    }

    private static func isOn(_ value: String) -> Bool? {
        switch value.uppercased() {
        case "YES", "TRUE", "1": true
        case "NO", "FALSE", "0": false
        default: nil
        }
    }

    /// A number as vsftpd reads it: what follows the digits is left aside.
    private static func port(_ value: String?) -> UInt16? {
        guard let value else { return nil }
        let digits = value.prefix { $0.isASCII && $0.isNumber }
        return UInt16(digits, radix: digits.count > 1 && digits.first == "0" ? 8 : 10)
    }
}
