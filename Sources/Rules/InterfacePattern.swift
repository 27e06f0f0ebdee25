// SPDX-License-Identifier: GPL-2.0-or-later
/// A network interface's name, or the beginning of one (`eth+`), as iptables takes it after `-i` and `-o`.
package struct InterfacePattern: Sendable, Hashable {
    /// The name without the plus sign; empty only for `+`, which matches every interface.
    package let name: String
    /// Whether the name is a beginning only.
    package let isPrefix: Bool

    /// The longest name of an interface, in bytes: `IFNAMSIZ` of `<linux/if.h>` less the NUL.
    package static let maximumLength = 15

    /// A name of 1 to 15 bytes without white space, slash, colon and control characters; a plus sign at its end makes it a beginning.
    ///
    /// - Throws: `InvalidValue` for a name that no interface can have.
    package init(parsing text: String) throws(InvalidValue) {
        let bytes = text.utf8
        guard (1...InterfacePattern.maximumLength).contains(bytes.count),
            bytes.allSatisfy({
                $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "\"")
            }),
            text != ".", text != "..", bytes.first != UInt8(ascii: "!")
        else {
            throw InvalidValue(
                "invalid interface name \"\(text)\"",
                advice: "names have 1 to 15 printable characters; eth+ means all that begin with eth"
            )
        }
        self.isPrefix = text.hasSuffix("+")
        self.name = isPrefix ? String(text.dropLast()) : text
    }

    /// All interfaces with names that begin so; with an empty beginning, all interfaces.
    package init(beginning: String) {
        self.name = beginning
        self.isPrefix = true
    }

    /// Whether it is `+`, which every interface matches.
    package var isAny: Bool { isPrefix && name.isEmpty }

    /// Whether an interface of this name is meant.
    package func matches(_ interface: String) -> Bool { isPrefix ? interface.hasPrefix(name) : interface == name }

    /// Whether some interface is meant by both patterns.
    package func overlaps(_ other: InterfacePattern) -> Bool {
        switch (isPrefix, other.isPrefix) {
        case (false, false): name == other.name
        case (true, false): other.name.hasPrefix(name)
        case (false, true): name.hasPrefix(other.name)
        case (true, true): name.hasPrefix(other.name) || other.name.hasPrefix(name)
        }
    }
}

extension InterfacePattern: CustomStringConvertible {
    /// As iptables writes it: `eth0`, `eth+`.
    package var description: String { isPrefix ? name + "+" : name }
}
