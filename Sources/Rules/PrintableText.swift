// SPDX-License-Identifier: GPL-2.0-or-later
/// Text from outside (names of chains and files, comments, other programs' rules) made safe to print: control characters, line
/// breaks, direction marks and bytes that are not UTF-8 are escaped as `\n`, `\xff` or `\u{202e}`, a backslash is left alone.
///
/// Every byte that leaves for a terminal, a journal, a status line or a metric and came from outside goes through here.
package func printable(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    if bytes.allSatisfy({ (0x20...0x7e).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
    var text = ""
    var rest = bytes[...]
    while let first = rest.first {
        let length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        guard let valid = String(validating: rest.prefix(length), as: UTF8.self), let scalar = valid.unicodeScalars.first else {
            text += "\\x" + (first < 16 ? "0" : "") + String(first, radix: 16)
            rest = rest.dropFirst()
            continue
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
            text += scalar.escaped(asASCII: true)
        default: text.unicodeScalars.append(scalar)
        }
        rest = rest.dropFirst(length)
    }
    return text
}

/// The same for a string.
package func printable(_ text: String) -> String { printable(text.utf8) }

/// `1 rule`, `2 rules`.
package func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
