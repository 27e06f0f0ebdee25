import ArgumentParser
import Rules

/// One end of a packet: `198.51.100.7:40000`, `[2001:db8::7]:40000`, or an address alone where there are no ports.
struct PacketEnd: ExpressibleByArgument {
    var address: Address
    /// In host order; nil: none was given.
    var port: UInt16?

    /// The end of that address and port.
    init(_ address: Address, port: UInt16?) {
        self.address = address
        self.port = port
    }

    init?(argument text: String) {
        if let address = try? Address(parsing: text) {
            self.init(address, port: nil)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        guard let address = try? Address(parsing: String(isBracketed ? host.dropFirst().dropLast() : host)),
            (address.family == .ipv6) == isBracketed
        else { return nil }
        self.init(address, port: port)
    }
}

extension PacketEnd: CustomStringConvertible {
    var description: String {
        guard let port else { return "\(address)" }
        return address.family == .ipv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}
