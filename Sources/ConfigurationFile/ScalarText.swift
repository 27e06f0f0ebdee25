// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Rules

/// The bytes of a value as libyaml has them, and what they can be read as without making a string of them.
///
/// Each of these functions reads exactly what the type's `init(parsing:)` reads; where that refuses, it is nil, and the caller has
/// the type itself say why.
struct ScalarText {
    let bytes: UnsafeBufferPointer<UInt8>

    /// The text as a string.
    var string: String { String(decoding: bytes, as: UTF8.self) }

    static func == (left: ScalarText, right: StaticString) -> Bool {
        guard left.bytes.count == right.utf8CodeUnitCount, let start = left.bytes.baseAddress else {
            return left.bytes.isEmpty && right.utf8CodeUnitCount == 0
        }
        return memcmp(start, right.utf8Start, left.bytes.count) == 0
    }

    /// The text without its first byte and spaces after it, if the first byte is "!".
    var excluded: ScalarText? {
        guard bytes.first == UInt8(ascii: "!") else { return nil }
        let rest = bytes.dropFirst().drop { $0 == UInt8(ascii: " ") }
        return ScalarText(bytes: UnsafeBufferPointer(rebasing: rest))
    }

    /// A number without sign and without a leading zero, of up to that many digits.
    private static func decimal(_ digits: Slice<UnsafeBufferPointer<UInt8>>, most: Int) -> UInt32? {
        guard (1...most).contains(digits.count) else { return nil }
        if digits.count > 1, digits.first == UInt8(ascii: "0") { return nil }
        var number: UInt32 = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number &* 10 &+ UInt32(digit)
        }
        return number
    }

    private static func port(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> UInt16? {
        guard let number = decimal(digits, most: 5), (1...65535).contains(number) else { return nil }
        return UInt16(number)
    }

    /// A port or a range of ports, as `PortRange.init(parsing:)` reads it.
    var ports: PortRange? {
        guard let dash = bytes.firstIndex(of: UInt8(ascii: "-")) else { return ScalarText.port(bytes[...]).map { PortRange($0) } }
        guard let lower = ScalarText.port(bytes[..<dash]), let upper = ScalarText.port(bytes[(dash + 1)...]), lower <= upper else {
            return nil
        }
        return PortRange(lower, upper)
    }

    /// A decimal mark without a mask; others are rare, and read by `Mark.init(parsing:)`.
    var mark: Mark? {
        guard let number = ScalarText.decimal(bytes[...], most: 9), number > 0 else { return nil }
        return try? Mark(number)
    }

    /// An address or a prefix, as `Prefix.init(parsing:)` reads it.
    var prefix: Prefix? {
        let slash = bytes.firstIndex(of: UInt8(ascii: "/"))
        guard let address = ScalarText.address(bytes[..<(slash ?? bytes.endIndex)]) else { return nil }
        guard let slash else { return Prefix(address) }
        guard let length = ScalarText.decimal(bytes[(slash + 1)...], most: 3), length <= address.family.bitWidth else { return nil }
        let prefix = Prefix(containing: address, length: Int(length))
        return prefix.address == address ? prefix : nil
    }

    /// An IPv4 address; one of IPv6 in the kernel's notation.
    private static func address(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Address? {
        var rest = text
        var bits: UInt32 = 0
        for part in 0..<4 {
            let end = part == 3 ? rest.endIndex : rest.firstIndex(of: UInt8(ascii: ".")) ?? rest.endIndex
            guard let octet = decimal(rest[..<end], most: 3), octet < 256, part == 3 || end < rest.endIndex else {
                return sixth(text)
            }
            bits = bits << 8 | octet
            if part < 3 { rest = rest[(end + 1)...] }
        }
        return Address(ipv4: bits)
    }

    private static func sixth(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Address? {
        // The longest is an IPv4-embedded one; inet_pton wants a NUL after it.
        guard (2...45).contains(text.count), !text.contains(0) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 46) { buffer in
            for (index, byte) in text.enumerated() { buffer[index] = CChar(bitPattern: byte) }
            buffer[text.count] = 0
            var six = in6_addr()
            guard let start = buffer.baseAddress, inet_pton(AF_INET6, start, &six) == 1 else { return nil }
            let bits = withUnsafeBytes(of: six) { UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) }
            return bits >> 32 == 0xffff ? nil : Address(ipv6: bits)
        }
    }
}
