// SPDX-License-Identifier: GPL-2.0-or-later
/// A firewall mark under a mask: sets the bits of `mask` in the packet's mark to those of `value`.
package struct Mark: Sendable, Hashable {
    /// The bits to set; none outside `mask`, and never zero.
    package let value: UInt32
    /// Which bits of the packet's mark are written.
    package let mask: UInt32

    /// A mark that writes the whole 32 bits.
    ///
    /// - Throws: `InvalidValue` for zero, which is the mark of a packet that has none.
    package init(_ value: UInt32) throws(InvalidValue) {
        try self.init(value, mask: .max)
    }

    /// A mark that writes the bits of `mask`.
    ///
    /// - Throws: `InvalidValue` for the value zero, and for a value with bits outside the mask.
    package init(_ value: UInt32, mask: UInt32) throws(InvalidValue) {
        guard value != 0 else {
            throw InvalidValue(
                "invalid mark 0: packets without a mark have it", advice: "marks are 1 to 4294967295")
        }
        guard value & ~mask == 0 else {
            throw InvalidValue(
                "the mark \(hexadecimal(value)) has bits outside its mask \(hexadecimal(mask))"
            )
        }
        self.value = value
        self.mask = mask
    }

    /// A mark (`21`, `0x15`), or mark and mask (`0x100/0xff00`).
    ///
    /// - Throws: `InvalidValue` for anything else.
    package init(parsing text: String) throws(InvalidValue) {
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let value = try Mark.number(halves[0], of: text)
        try self.init(value, mask: halves.count == 1 ? .max : try Mark.number(halves[1], of: text))
    }

    private static func number(_ digits: Substring, of text: String) throws(InvalidValue) -> UInt32 {
        let isHexadecimal = digits.hasPrefix("0x") || digits.hasPrefix("0X")
        let body = isHexadecimal ? digits.dropFirst(2) : digits
        guard body.first != "+", body.first != "-", let number = UInt32(body, radix: isHexadecimal ? 16 : 10) else {
            throw InvalidValue(
                "invalid mark \"\(text)\"", advice: "marks are 1 to 4294967295, decimal or 0x…; /mask after it sets only those bits"
            )
        }
        guard isHexadecimal || body.first != "0" || number == 0 else { throw .leadingZero(text, "\(number)") }
        return number
    }

    /// The packet's mark after this mark was set on it.
    package func applied(to mark: UInt32) -> UInt32 { mark & ~mask | value }

    /// Whether some packet's final mark depends on which of the two is set last.
    package func conflicts(with other: Mark) -> Bool { (value ^ other.value) & mask & other.mask != 0 }
}

extension Mark: CustomStringConvertible {
    /// Decimal when the whole mark is written, as ipvsadm wants it; value and mask in hexadecimal otherwise.
    package var description: String { mask == .max ? "\(value)" : "\(hexadecimal(value))/\(hexadecimal(mask))" }

    /// As iptables writes it after `--set-xmark`: `0x15/0xffffffff`.
    package var iptablesSyntax: String { "\(hexadecimal(value))/\(hexadecimal(mask))" }
}

/// The number with `0x` before it, in lower case and without leading zeros.
func hexadecimal(_ number: UInt32) -> String { "0x" + String(number, radix: 16) }
