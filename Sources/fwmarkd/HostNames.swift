// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Rules
import SystemCalls

/// The names that this machine may be called by in a request's `Host`.
///
/// A page elsewhere can have its own name resolve to this machine's address and then read our answers as if they were its own (DNS
/// rebinding). The browser still sends that page's name in `Host`, so a name that is not ours is refused. An address cannot be
/// rebound.
struct HostNames: Sendable, Hashable {
    private let names: Set<String>

    /// A machine of these names.
    init(_ names: some Sequence<String>) { self.names = Set(names.map { $0.lowercased() }).union(["localhost"]) }

    /// This machine: its host name, the first part of that, and what `/etc/hosts` has on the same lines.
    static func own() -> HostNames {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return HostNames([]) }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let hosts = (try? RegularFile.read("/etc/hosts", limit: 1 << 20)) ?? []
        return HostNames(ownNames(hostName: name, hosts: String(decoding: hosts, as: UTF8.self)))
    }

    /// The names of the machine with this host name, by a text of the form of hosts(5).
    static func ownNames(hostName: String, hosts: String) -> [String] {
        guard !hostName.isEmpty else { return [] }
        var names = [hostName]
        if let first = hostName.split(separator: ".").first { names.append(String(first)) }
        for line in hosts.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).dropFirst().map(String.init)
            if words.contains(where: { $0.lowercased() == hostName.lowercased() }) { names += words }
        }
        return names
    }

    /// Whether a `Host` (RFC 9110: a name or an address, and perhaps a port) means this machine.
    func contains(_ host: String) -> Bool {
        var name = Substring(host)
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return false }
            let rest = name[name.index(after: end)...]
            guard rest.isEmpty || HostNames.isPort(rest) else { return false }
            let address = try? Address(parsing: String(name[name.index(after: name.startIndex)..<end]))
            return address?.family == .ipv6
        }
        if let colon = name.firstIndex(of: ":") {
            guard HostNames.isPort(name[colon...]) else { return false }
            name = name[..<colon]
        }
        if let address = try? Address(parsing: String(name)) { return address.family == .ipv4 }
        if name.hasSuffix(".") { name = name.dropLast() }
        return names.contains(name.lowercased())
    }

    /// A colon and digits.
    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.utf8.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
