package import Rules

/// A packet as bytes, with a number in its last four by which it is known again wherever it comes out.
package struct TestPacket {
    /// The number's upper half, which tells the packets of a test from all others.
    fileprivate static let token: UInt32 = 0x5eed_0000
    /// The protocol of packets without ports: one for experiments (RFC 3692), which the kernel knows nothing of.
    package static let portless: UInt8 = 253

    /// What rules see of it.
    package let packet: Packet
    /// Its number.
    package let number: UInt16

    /// The packet with that number.
    package init(packet: Packet, number: UInt16) {
        self.packet = packet
        self.number = number
    }

    /// Header by header. Checksums of the transport protocols are wrong, so that the kernel lets the packets through all its
    /// tables and does not answer them.
    package var bytes: [UInt8] {
        let body = transport + big(TestPacket.token | UInt32(number))
        let protocolNumber = packet.protocolNumber
        switch packet.source.family {
        case .ipv4:
            var header: [UInt8] = [0x45, 0] + big(UInt16(20 + body.count)) + [0, 0, 0, 0, 64, protocolNumber, 0, 0]
            header += big(UInt32(packet.source.bits)) + big(UInt32(packet.destination.bits))
            var sum = stride(from: 0, to: 20, by: 2).reduce(0) { $0 + Int(header[$1]) << 8 + Int(header[$1 + 1]) }
            while sum > 0xffff { sum = sum >> 16 + sum & 0xffff }
            header.replaceSubrange(10..<12, with: big(UInt16(~sum & 0xffff)))
            return header + body
        case .ipv6:
            let header: [UInt8] = [0x60, 0, 0, 0] + big(UInt16(body.count)) + [protocolNumber, 64]
            return header + big(packet.source.bits) + big(packet.destination.bits) + body
        }
    }

    /// The beginning of a connection.
    private var transport: [UInt8] {
        let ports = big(packet.sourcePort) + big(packet.destinationPort)
        return switch TransportProtocol(number: packet.protocolNumber) {
        case .tcp: ports + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0xbe, 0xef, 0, 0]
        case .udp: ports + [0, 12, 0xbe, 0xef]
        // An INIT chunk, whose last field the number is.
        case .sctp: ports + [0, 0, 0, 0, 0xbe, 0xef, 0xbe, 0xef, 1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 1, 0, 1]
        case nil: [0, 0, 0, 0]
        }
    }

    /// The number in the bytes; nil if they are no packet of this test's.
    package static func number(of bytes: [UInt8]) -> UInt16? {
        let last = bytes.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return last & 0xffff_0000 == token ? UInt16(truncatingIfNeeded: last) : nil
    }

    /// The source address in an IP header.
    package static func source(of bytes: [UInt8]) -> Address? {
        func number(_ range: Range<Int>) -> UInt128 { bytes[range].reduce(0) { $0 << 8 | UInt128($1) } }
        switch (bytes.first ?? 0) >> 4 {
        case 4 where bytes.count >= 20: return Address(family: .ipv4, bits: number(12..<16))
        case 6 where bytes.count >= 40: return Address(family: .ipv6, bits: number(8..<24))
        default: return nil
        }
    }
}

/// The number's bytes as they are on the wire.
private func big(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
