// SPDX-License-Identifier: GPL-2.0-or-later
/// The hardware address of an Ethernet interface (IEEE 802, 48 bits).
package struct MACAddress: Sendable, Hashable, Comparable {
    /// The address as a number: the first byte on the wire is the most significant of the low 48 bits.
    package let bits: UInt64

    /// The address with the low 48 bits of `bits`.
    package init(bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

    /// Six pairs of hexadecimal digits with colons between them: `02:00:5e:10:00:02`.
    ///
    /// - Throws: `InvalidValue` for anything else.
    package init(parsing text: String) throws(InvalidValue) {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var bits: UInt64 = 0
        for part in parts {
            guard parts.count == 6, part.count == 2, let byte = UInt8(String(part) ?? "", radix: 16),
                part.first != UInt8(ascii: "+")
            else {
                throw InvalidValue("invalid MAC address \"\(text)\"", advice: "write it like 02:00:5e:10:00:02")
            }
            bits = bits << 8 | UInt64(byte)
        }
        self.init(bits: bits)
    }

    /// By number.
    package static func < (left: MACAddress, right: MACAddress) -> Bool { left.bits < right.bits }
}

extension MACAddress: CustomStringConvertible {
    /// In lower case with colons: `02:00:5e:10:00:02`.
    package var description: String {
        (0..<6).map { index in
            let byte = UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * index))
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined(separator: ":")
    }
}
