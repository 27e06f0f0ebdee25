// SPDX-License-Identifier: GPL-2.0-or-later
package import Judge
package import Rules

/// A packet as bytes, with a number in its last four by which it is known again wherever it comes out.
package struct TestPacket {
    /// The number's upper half, which tells the packets of a test from all others.
    private static let token: UInt32 = 0x5eed_0000
    /// An authentication header, which IPv6 has before the protocol.
    package static let authentication: UInt8 = 51
    /// A protocol without ports: one for experiments (RFC 3692), which the kernel knows nothing of.
    package static let portless: UInt8 = 253

    /// What rules see of it.
    package let packet: JudgedPacket
    /// Its number.
    package let number: UInt16

    /// The packet with that number.
    package init(packet: JudgedPacket, number: UInt16) {
        self.packet = packet
        self.number = number
    }

    private var source: Address { packet.source ?? Address(family: packet.family, bits: 0) }
    private var destination: Address { packet.destination ?? Address(family: packet.family, bits: 0) }
    private var isFragment: Bool { packet.isFurtherFragment == true }

    /// Header by header. Checksums of the transport protocols are wrong, so that the kernel lets the packets through all its
    /// tables and does not answer them.
    package var bytes: [UInt8] {
        let body = transport + big(TestPacket.token | UInt32(number))
        let protocolNumber = packet.protocolNumber ?? TestPacket.portless
        switch packet.family {
        case .ipv4:
            // The last fragment, 80 bytes from the start.
            var header: [UInt8] = [0x45, 0] + big(UInt16(20 + body.count)) + big(number) + (isFragment ? [0, 10] : [0, 0])
            header += [64, protocolNumber, 0, 0] + big(UInt32(source.bits)) + big(UInt32(destination.bits))
            var sum = stride(from: 0, to: 20, by: 2).reduce(0) { $0 + Int(header[$1]) << 8 + Int(header[$1 + 1]) }
            while sum > 0xffff { sum = sum >> 16 + sum & 0xffff }
            header.replaceSubrange(10..<12, with: big(UInt16(~sum & 0xffff)))
            return header + body
        case .ipv6:
            // A fragment header, `struct frag_hdr` of the kernel's <net/ipv6.h>: the last one, 80 bytes from the start.
            let fragment: [UInt8] = isFragment ? [protocolNumber, 0, 0, 80] + big(UInt32(number)) : []
            let next = isFragment ? 44 : protocolNumber
            let header: [UInt8] = [0x60, 0, 0, 0] + big(UInt16(fragment.count + body.count)) + [next, 64]
            return header + big(source.bits) + big(destination.bits) + fragment + body
        }
    }

    /// The packet in a frame for everybody, from the packet's sender.
    package var frame: [UInt8] {
        let sender = (0..<6).map { UInt8(truncatingIfNeeded: (packet.mac?.bits ?? 0) >> UInt64(40 - 8 * $0)) }
        return [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] + sender + (packet.family == .ipv4 ? [8, 0] : [0x86, 0xdd]) + bytes
    }

    /// The beginning of a connection; of other protocols a header that is wrong enough to be passed on and not answered.
    private var transport: [UInt8] {
        if isFragment { return [0, 0, 0, 0] }
        let ports = big(packet.sourcePort ?? 0) + big(packet.destinationPort ?? 0)
        switch packet.protocolNumber {
        case 6: return ports + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0xbe, 0xef, 0, 0]
        case 17: return ports + [0, 12, 0xbe, 0xef]
        // An INIT chunk, whose last field the number is.
        case 132: return ports + [0, 0, 0, 0, 0xbe, 0xef, 0xbe, 0xef, 1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 1, 0, 1]
        // Next header: none; 12 bytes of header, of which the number is the last four.
        case TestPacket.authentication: return [59, 1, 0, 0, 0, 0, 1, 0]
        // An echo request with a wrong checksum.
        case 1, 58: return [packet.protocolNumber == 1 ? 8 : 128, 0, 0xbe, 0xef]
        default: return [0, 0, 0, 0]
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
