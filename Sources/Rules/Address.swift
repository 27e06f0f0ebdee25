// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// An IPv4 or IPv6 address.
package struct Address: Sendable, Hashable, Comparable {
    // Tens of thousands of these are in memory: the wide member first leaves no gap.
    /// The address as a number in host order: the first octet on the wire is the most significant. An IPv4 address
    /// is in the low 32 bits.
    package let bits: UInt128
    /// The family the address belongs to.
    package let family: Family

    /// The IPv4 address whose first octet is the most significant byte of `bits`.
    package init(ipv4 bits: UInt32) {
        self.family = .ipv4
        self.bits = UInt128(bits)
    }

    /// The IPv6 address whose first octet is the most significant byte of `bits`.
    package init(ipv6 bits: UInt128) {
        self.family = .ipv6
        self.bits = bits
    }

    /// The address of `family` with the low `family.bitWidth` bits of `bits`.
    package init(family: Family, bits: UInt128) {
        self.family = family
        self.bits = family == .ipv4 ? UInt128(UInt32(truncatingIfNeeded: bits)) : bits
    }

    /// The address written as dotted quad or in the colon notation of RFC 4291, section 2.2.
    ///
    /// No zone, no port, no brackets, no leading zeros in an octet, and no IPv4-mapped address (`::ffff:…`), which
    /// never is in a packet.
    /// - Throws: `InvalidValue` when the text is anything else.
    package init(parsing text: String) throws(InvalidValue) {
        var four = in_addr()
        var six = in6_addr()
        if text.utf8.contains(0) {
            // To C the text would end there.
            throw InvalidValue("the address has a NUL byte in it")
        } else if inet_pton(AF_INET, text, &four) == 1 {
            self.init(ipv4: UInt32(bigEndian: four.s_addr))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            let bits = withUnsafeBytes(of: six) { UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) }
            guard bits >> 32 != 0xffff else {
                throw InvalidValue(
                    "\"\(text)\" is an IPv4-mapped address, which no packet carries",
                    advice: "write \(Address(ipv4: UInt32(truncatingIfNeeded: bits)))"
                )
            }
            self.init(ipv6: bits)
        } else {
            throw InvalidValue(
                "invalid address \"\(text)\"", advice: "write it like 203.0.113.10 or 2001:db8::10")
        }
    }

    /// IPv4 before IPv6, then by number.
    package static func < (left: Address, right: Address) -> Bool {
        (left.family, left.bits) < (right.family, right.bits)
    }
}

extension Address: Codable {
    /// Reads the address from its text.
    package init(from decoder: any Decoder) throws { try self.init(parsing: decoder.singleValueContainer().decode(String.self)) }

    /// Writes the address as text.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Address: CustomStringConvertible {
    /// The address as iptables and `inet_ntop` write it (RFC 5952 for IPv6).
    package var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            switch family {
            case .ipv4:
                var four = in_addr(s_addr: UInt32(truncatingIfNeeded: bits).bigEndian)
                inet_ntop(AF_INET, &four, text.baseAddress, socklen_t(text.count))
            case .ipv6:
                var six = bits.bigEndian
                inet_ntop(AF_INET6, &six, text.baseAddress, socklen_t(text.count))
            }
            return String(cString: text.baseAddress!)
        }
    }
}
