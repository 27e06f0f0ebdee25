// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

extension Configuration {
    /// The configuration as a file that `check` accepts and that means the same. Of `daemon:` only what an import decides.
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
        // A file without any section is refused: it could be one that was cut off.
        if ftp.isEmpty, services.isEmpty, masquerades.isEmpty { lines.append("services: []") }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension FTPService {
    fileprivate var yaml: [String] {
        var lines = ["name: \(scalar(name))", "mark: \(mark)", "addresses: \(list(Selection(addresses)))"]
        if controlPorts != [21] { lines.append("control-port: [\(controlPorts.map(String.init).joined(separator: ", "))]") }
        lines.append("passive-ports: \(passivePorts)")
        if forwarding != .nat { lines.append("forwarding: \(forwarding.rawValue)") }
        if let active {
            lines.append("active:")
            if !active.realServers.isEmpty { lines.append("  real-servers: \(list(Selection(active.realServers)))") }
            if active.dataPorts != [20] {
                lines.append("  data-port: [\(active.dataPorts.map(String.init).joined(separator: ", "))]")
            }
            switch active.to {
            case .masquerade: break
            case .address(let address): lines.append("  to: \(scalar("\(address)"))")
            case .virtualAddress: lines.append("  to: virtual-address")
            }
        }
        return lines
    }
}

extension Service {
    fileprivate var yaml: [String] {
        var lines = ["name: \(scalar(name))", "mark: \(mark)", "addresses: \(list(addresses))"] + traffic.yaml("")
        if !sources.isEmpty { lines.append("sources: \(list(sources))") }
        if !sourceMACs.isEmpty { lines.append("source-macs: \(list(sourceMACs))") }
        if !inInterfaces.isEmpty { lines.append("in-interface: \(list(inInterfaces))") }
        if hooks != [.prerouting] { lines.append("hooks: [\(hooks.map(\.rawValue).joined(separator: ", "))]") }
        return lines
    }
}

extension Masquerade {
    fileprivate var yaml: [String] {
        var lines = ["name: \(scalar(name))"]
        if !sources.isEmpty { lines.append("sources: \(list(sources))") }
        if !services.isEmpty { lines.append("services: [\(services.map(scalar).joined(separator: ", "))]") }
        lines += sourceTraffic.yaml("") + destinationTraffic.yaml("destination-")
        if !destinations.isEmpty { lines.append("destinations: \(list(destinations))") }
        if !outInterfaces.isEmpty { lines.append("out-interface: \(list(outInterfaces))") }
        switch to {
        case .masquerade, .virtualAddresses: break
        case .addresses(let first, let last): lines.append("to: \(scalar(first == last ? "\(first)" : "\(first)-\(last)"))")
        case .unchanged: lines.append("to: unchanged")
        }
        if isRandom { lines.append("random: true") }
        return lines
    }
}

extension Traffic {
    fileprivate func yaml(_ prefix: String) -> [String] {
        if isEverything { return ["\(prefix)protocols: any"] }
        var lines = TransportProtocol.allCases.compactMap { transport -> String? in
            let ranges = self[transport]
            guard !ranges.isEmpty else { return nil }
            return "\(prefix)\(transport): " + (ranges == [.all] ? "any" : "[\(ranges.map(\.description).joined(separator: ", "))]")
        }
        let names: [UInt8: String] = [50: "esp", 51: "ah", 1: "icmp"]
        if !protocols.isEmpty {
            lines.append("\(prefix)protocols: [\(protocols.map { names[$0] ?? "\($0)" }.joined(separator: ", "))]")
        }
        return lines
    }
}

private func list<Element: CustomStringConvertible>(_ selection: Selection<Element>) -> String {
    let entries = selection.included.map { text($0) } + selection.excluded.map { "!" + text($0) }
    return "[\(entries.map(scalar).joined(separator: ", "))]"
}

/// The value as people write it: a single address without its length.
private func text(_ value: some CustomStringConvertible) -> String {
    guard let prefix = value as? Prefix else { return "\(value)" }
    return prefix.length == prefix.family.bitWidth ? "\(prefix.address)" : "\(prefix)"
}

/// A value in YAML, in quotes where it could be read as anything else than this text.
private func scalar(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
    let others: Set<String> = ["null", "yes", "no", "true", "false", "on", "off", "y", "n"]
    let isText = text.utf8.first.map { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ".") } ?? false
    let isNumber = Double(text) != nil || Int(text) != nil
    if isPlain, isText, !isNumber, !others.contains(text.lowercased()) { return text }
    return "\"" + text.reduce("") { "\"\\".contains($1) ? $0 + "\\\($1)" : $0 + String($1) } + "\""
}
