// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// An address and a port to listen on.
package struct ListenAddress: Sendable, Hashable {
    /// The address.
    package var address: Address
    /// The port, in host order; 1…65535.
    package var port: UInt16

    /// The port of the address.
    package init(address: Address, port: UInt16) {
        (self.address, self.port) = (address, port)
    }
}

extension ListenAddress {
    /// An address and a port: `127.0.0.1:9780`, `[::1]:9780`.
    ///
    /// - Throws: `InvalidValue` for anything else.
    package init(parsing text: String) throws(InvalidValue) {
        let advice = "write an address and a port like 127.0.0.1:9780 or \"[::1]:9780\""
        guard let colon = text.lastIndex(of: ":") else { throw InvalidValue("\"\(text)\" has no port", advice: advice) }
        var host = String(text[..<colon])
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = String(host.dropFirst().dropLast()) }
        guard let address = try? Address(parsing: host), (address.family == .ipv6) == isBracketed,
            let range = try? PortRange(parsing: String(text[text.index(after: colon)...])), range.lower == range.upper
        else { throw InvalidValue("\"\(text)\" cannot be listened on", advice: advice) }
        self.init(address: address, port: range.lower)
    }
}
