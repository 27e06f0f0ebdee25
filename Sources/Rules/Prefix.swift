// SPDX-License-Identifier: GPL-2.0-or-later
/// A prefix: all addresses that share their first `length` bits with `address`.
package struct Prefix: Sendable, Hashable, Comparable {
    /// The first address of the prefix; its bits after `length` are zero.
    package let address: Address
    /// How many leading bits are fixed: 0…32 or 0…128.
    package var length: Int { Int(bitCount) }
    private let bitCount: UInt8

    /// The family the prefix belongs to.
    package var family: Family { address.family }

    /// The prefix of the one given address.
    package init(_ address: Address) {
        self.address = address
        bitCount = UInt8(address.family.bitWidth)
    }

    /// The prefix of `length` leading bits that holds `address`; bits after the length are dropped.
    ///
    /// - Precondition: `length` is in 0…`address.family.bitWidth`.
    package init(containing address: Address, length: Int) {
        precondition(length >= 0 && length <= address.family.bitWidth)
        self.address = Address(family: address.family, bits: address.bits & Prefix.mask(length: length, address.family))
        bitCount = UInt8(length)
    }

    /// An address, or an address and a prefix length (`10.11.12.0/24`).
    ///
    /// - Throws: `InvalidValue` for a bad address, a length out of range, and bits set after the length: the kernel
    ///   would accept such an entry and never match it.
    package init(parsing text: String) throws(InvalidValue) {
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else {
            self.init(try Address(parsing: text))
            return
        }
        let address = try Address(parsing: String(text[..<slash]))
        // By bytes: to Swift a slash and an accent after it are one character.
        let digits = String(decoding: text.utf8[text.utf8.index(after: slash)...], as: UTF8.self)
        let bitWidth = address.family.bitWidth
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let length = Int(digits), length <= bitWidth
        else {
            throw InvalidValue(
                "invalid prefix length \"\(digits)\"", advice: "\(address.family) has 0 to \(bitWidth)")
        }
        guard digits == "\(length)" else { throw .leadingZero(text, "\(address)/\(length)") }
        self.init(containing: address, length: length)
        guard self.address == address else {
            throw InvalidValue(
                "\"\(text)\" has host bits set",
                advice: "write \(self), or \(address)/\(bitWidth) for the one address"
            )
        }
    }

    /// The number whose first `length` bits of the family's width are set.
    static func mask(length: Int, _ family: Family) -> UInt128 {
        let width = family.bitWidth
        let all: UInt128 = family == .ipv4 ? 0xffff_ffff : .max
        return length == 0 ? 0 : (all << UInt128(width - length)) & all
    }

    /// The netmask as a number, in the form of `Address.bits`.
    package var mask: UInt128 { Prefix.mask(length: length, family) }

    /// The last address of the prefix.
    package var last: Address {
        Address(family: family, bits: address.bits | (~mask & Prefix.mask(length: family.bitWidth, family)))
    }

    /// Whether the address is in the prefix.
    package func contains(_ other: Address) -> Bool {
        other.family == family && other.bits & mask == address.bits
    }

    /// Whether every address of `other` is in this prefix.
    package func contains(_ other: Prefix) -> Bool {
        other.length >= length && contains(other.address)
    }

    /// Whether some address is in both prefixes. Of two prefixes that overlap, one holds the other.
    package func overlaps(_ other: Prefix) -> Bool {
        contains(other) || other.contains(self)
    }

    /// By address, and among prefixes with the same first address the wider first: each prefix comes before all it holds.
    package static func < (left: Prefix, right: Prefix) -> Bool {
        left.address == right.address ? left.length < right.length : left.address < right.address
    }
}

extension Prefix: CustomStringConvertible {
    /// Address and length, as iptables prints it: `203.0.113.10/32`.
    package var description: String { "\(address)/\(length)" }
}
