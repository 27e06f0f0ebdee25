// SPDX-License-Identifier: GPL-2.0-or-later
/// Text from outside (names of chains and files, comments, other programs' rules) made safe to print: control characters, line
/// breaks, direction marks and bytes that are not UTF-8 are escaped as `\n`, `\xff` or `\u{202e}`, a backslash is left alone.
///
/// Every byte that leaves for a terminal, a journal, a status line or a metric and came from outside goes through here.
package func printable(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    if bytes.allSatisfy({ (0x20...0x7e).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
    var text = ""
    for scalar in String(keeping: bytes).unicodeScalars {
        if let byte = scalar.keptByte {
            text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            continue
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
            text += scalar.escaped(asASCII: true)
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text
}

/// The same for a string.
package func printable(_ text: String) -> String { printable(text.utf8) }

/// `1 rule`, `2 rules`.
package func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

extension String {
    /// The bytes as text in which each byte that is no UTF-8 is a character of its own, which `printable` shows as that byte: `\xff`.
    package init(keeping bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        if let valid = String(validating: bytes, as: UTF8.self) {
            self = valid
            return
        }
        self = ""
        var rest = bytes[...]
        while let first = rest.first {
            let length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
            if let valid = String(validating: rest.prefix(length), as: UTF8.self) {
                unicodeScalars.append(contentsOf: valid.unicodeScalars)
                rest = rest.dropFirst(length)
            } else {
                unicodeScalars.append(Unicode.Scalar(keeping: first))
                rest = rest.dropFirst()
            }
        }
    }
}

extension Unicode.Scalar {
    /// Characters for private use that stand for the bytes from 0x80, which text cannot hold.
    private static let kept: ClosedRange<UInt32> = 0xef80...0xefff

    fileprivate init(keeping byte: UInt8) { self = Unicode.Scalar(0xef00 + UInt32(byte)) ?? "\u{fffd}" }

    /// The byte that it stands for.
    fileprivate var keptByte: UInt8? {
        Unicode.Scalar.kept.contains(value) ? UInt8(truncatingIfNeeded: value) : nil
    }
}
