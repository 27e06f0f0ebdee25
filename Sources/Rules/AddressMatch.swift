// SPDX-License-Identifier: GPL-2.0-or-later
/// A prefix, or all addresses outside it.
package struct AddressMatch: Sendable, Hashable {
    /// The prefix.
    package let prefix: Prefix
    /// Whether the addresses outside the prefix are meant.
    package let isInverted: Bool

    /// The addresses of the prefix, or with `isInverted` all others of its family.
    package init(_ prefix: Prefix, isInverted: Bool = false) {
        (self.prefix, self.isInverted) = (prefix, isInverted)
    }

    /// A prefix, with `!` before it for everything else.
    ///
    /// - Throws: `InvalidValue` as `Prefix.init(parsing:)` does.
    package init(parsing text: String) throws(InvalidValue) {
        let isInverted = text.utf8.first == UInt8(ascii: "!")
        // By bytes: to Swift a "!" and an accent after it are one character.
        let body = isInverted ? String(decoding: text.utf8.dropFirst().drop { $0 == UInt8(ascii: " ") }, as: UTF8.self) : text
        self.init(try Prefix(parsing: body), isInverted: isInverted)
    }

    /// Whether the address fits.
    package func matches(_ address: Address) -> Bool {
        address.family == prefix.family && prefix.contains(address) != isInverted
    }
}
