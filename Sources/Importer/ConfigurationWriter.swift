import ConfigurationFile
import Rules

extension Configuration {
    /// The file that says this, entries and `hook-position` alone; empty if there is nothing to say.
    var yaml: String {
        var lines: [String] = []
        if daemon.hookPosition != .first { lines += ["daemon:", "  hook-position: \(daemon.hookPosition.rawValue)"] }
        func section(_ name: String, _ entries: [[String]]) {
            guard !entries.isEmpty else { return }
            if !lines.isEmpty { lines.append("") }
            lines.append("\(name):")
            for entry in entries {
                for (index, line) in entry.enumerated() { lines.append((index == 0 ? "  - " : "    ") + line) }
            }
        }
        section("ftp", ftp.map(\.yaml))
        section("services", services.map(\.yaml))
        section("masquerade", masquerades.map(\.yaml))
        return lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n"
    }
}

extension FTPService {
    fileprivate var yaml: [String] {
        var lines = ["name: \(name)", "mark: \(mark)", "addresses: \(list(addresses))"]
        if controlPort != 21 { lines.append("control-port: \(controlPort)") }
        lines.append("passive-ports: \(passivePorts)")
        if let active {
            lines += ["active:", "  real-servers: \(list(active.realServers))"]
            if active.dataPort != 20 { lines.append("  data-port: \(active.dataPort)") }
            if active.to != .masquerade { lines.append("  to: \(active.to.yaml)") }
        }
        return lines
    }
}

extension Service {
    fileprivate var yaml: [String] {
        ["name: \(name)", "mark: \(mark)", "addresses: \(list(addresses))"] + portLines(ports)
            + (inInterface.map { ["in-interface: \(quoted("\($0)"))"] } ?? [])
    }
}

extension Masquerade {
    fileprivate var yaml: [String] {
        var lines = ["name: \(name)", "sources: \(list(sources))"] + portLines(ports)
        if !destinations.isEmpty {
            lines.append(
                "destinations: [\(destinations.map { quoted(($0.isInverted ? "!" : "") + text($0.prefix)) }.joined(separator: ", "))]"
            )
        }
        if let outInterface { lines.append("out-interface: \(quoted("\(outInterface)"))") }
        if to != .masquerade { lines.append("to: \(to.yaml)") }
        return lines
    }
}

extension SourceTranslation {
    fileprivate var yaml: String {
        switch self {
        case .masquerade: "masquerade"
        case .address(let address): quoted("\(address)")
        }
    }
}

private func portLines(_ ports: [TransportProtocol: [PortRange]]) -> [String] {
    TransportProtocol.allCases.compactMap { transport in
        ports[transport].map { "\(transport): [\($0.map(\.description).joined(separator: ", "))]" }
    }
}

private func list(_ prefixes: [Prefix]) -> String { "[\(prefixes.map { quoted(text($0)) }.joined(separator: ", "))]" }

/// A single address without its length, as a person writes it.
private func text(_ prefix: Prefix) -> String {
    prefix.length == prefix.family.bitWidth ? "\(prefix.address)" : "\(prefix)"
}

/// In double quotes where YAML might see more in it than text.
private func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "/"):
            true
        default: false
        }
    }
    return isPlain ? text : "\"" + text.reduce("") { "\"\\".contains($1) ? $0 + "\\\($1)" : $0 + String($1) } + "\""
}
