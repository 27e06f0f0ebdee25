// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension FTPServerFile {
    /// A proftpd.conf: a directive and its values between blanks, in any case; what is in `<VirtualHost>` counts like the rest, and of
    /// equal directives the last.
    init?(proftpd path: String, _ lines: [String]) {
        self.init(path, .proftpd)
        let signs: Set<String> = [
            "servername", "servertype", "defaultserver", "passiveports", "masqueradeaddress", "requirevalidshell",
        ]
        var isOurs = false
        // ProFTPD opens active connections from the port below its own.
        var port: UInt16 = 21
        for (name, values) in FTPServerFile.directives(lines) {
            isOurs = isOurs || signs.contains(name) || name.hasPrefix("<virtualhost") || name.hasPrefix("<anonymous")
            switch name {
            case "port": port = values.first.flatMap { UInt16($0) } ?? port
            case "passiveports": passivePorts = FTPServerFile.range(values)
            case "masqueradeaddress":
                passiveAddress = FTPServerFile.address(values) ?? passiveAddress
            default: break
            }
        }
        guard isOurs else { return nil }
        controlPort = port
        dataPort = port > 1 ? port - 1 : nil
    }

    /// A pure-ftpd.conf: a directive and its values between blanks, in any case.
    init?(pureFTPd path: String, _ lines: [String]) {
        self.init(path, .pureFTPd)
        let signs: Set<String> = [
            "passiveportrange", "forcepassiveip", "chrooteveryone", "maxclientsnumber", "maxclientsperip", "noanonymous",
            "anonymousonly",
        ]
        var isOurs = false
        for (name, values) in FTPServerFile.directives(lines) {
            isOurs = isOurs || signs.contains(name)
            switch name {
            // `Bind 127.0.0.1,21`, `Bind ,2121`.
            case "bind": controlPort = values.first?.split(separator: ",").last.flatMap { UInt16($0) } ?? 21
            case "passiveportrange": passivePorts = FTPServerFile.range(values)
            case "forcepassiveip":
                passiveAddress = FTPServerFile.address(values) ?? passiveAddress
            default: break
            }
        }
        guard isOurs else { return nil }
        dataPort = controlPort > 1 ? controlPort - 1 : nil
    }

    /// Directives in lower case, with their values; comments and quotes are gone.
    private static func directives(_ lines: [String]) -> [(String, [String])] {
        lines.compactMap { line in
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
                .map { $0.filter { $0 != "\"" } }
            guard let name = words.first else { return nil }
            return (name.lowercased(), Array(words.dropFirst()))
        }
    }

    private static func address(_ values: [String]) -> PassiveAddress? {
        values.first.map { value in (try? Address(parsing: value)).map { .address($0) } ?? .name(value) }
    }

    private static func range(_ values: [String]) -> PortRange? {
        let numbers = values.flatMap { $0.split(whereSeparator: { $0 == "-" || $0 == ":" }) }.compactMap { UInt16($0) }
        guard numbers.count >= 2, numbers[0] <= numbers[1] else { return nil }
        return PortRange(numbers[0], numbers[1])
    }
}
