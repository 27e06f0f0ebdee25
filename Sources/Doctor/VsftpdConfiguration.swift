import Rules

/// The settings of a vsftpd.conf that matter behind IPVS (vsftpd.conf(5)).
package struct VsftpdConfiguration: Sendable, Hashable {
    /// The file's path, for messages.
    package let path: String
    /// The settings by name; the last of equal ones counts.
    package let settings: [String: String]

    /// Reads the text of a vsftpd.conf: `name=value` without blanks around the sign, and lines that begin with `#`.
    package init(path: String, text: String) {
        self.path = path
        var settings: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            let halves = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2 else { continue }
            var value = String(halves[1])
            while value.last == " " || value.last == "\t" { value.removeLast() }
            settings[halves[0].lowercased()] = value
        }
        self.settings = settings
    }

    /// A setting that is on or off.
    func isOn(_ name: String, default: Bool) -> Bool {
        switch settings[name]?.uppercased() {
        case "YES", "TRUE", "1": true
        case "NO", "FALSE", "0": false
        default: `default`
        }
    }

    /// A port; 0 means any, and is the default.
    func port(_ name: String) -> UInt16 { settings[name].flatMap { UInt16($0) } ?? 0 }

    /// The address that clients are told for passive connections; nil: the one that the server itself is called by.
    var passiveAddress: Address? { settings["pasv_address"].flatMap { try? Address(parsing: $0) } }

    /// The ports of passive connections.
    var passivePorts: PortRange {
        let (lower, upper) = (port("pasv_min_port"), port("pasv_max_port"))
        return PortRange(lower, max(lower, upper == 0 ? 65535 : upper))
    }
}
