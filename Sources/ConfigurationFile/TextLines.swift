// SPDX-License-Identifier: GPL-2.0-or-later
/// A text by its lines, each of which is named by where it begins.
struct TextLines {
    let bytes: UnsafeBufferPointer<UInt8>

    /// The line that this byte is in.
    func start(before byte: Int) -> Int { bytes[..<max(0, byte)].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0 }

    /// The line after the one that this byte is in; nil after the last.
    func next(after byte: Int) -> Int? {
        guard let feed = bytes[byte...].firstIndex(of: UInt8(ascii: "\n")), feed + 1 < bytes.count else { return nil }
        return feed + 1
    }

    /// How many lines end in this part of the text.
    func count(_ part: Range<Int>) -> Int { bytes[part].count { $0 == UInt8(ascii: "\n") } }

    /// Whether the line is part of what began before it, as far as its first character says; never the first line.
    func isWithin(_ line: Int) -> Bool { line > 0 && line < bytes.count && " #-\n\r".utf8.contains(bytes[line]) }

    /// Whether the line begins with the key.
    func isKey(_ key: String, at line: Int) -> Bool { bytes[line...].starts(with: "\(key):".utf8) }

    /// The column, counted from 1, of the dash that the line begins with.
    func dash(at line: Int) -> Int? {
        let rest = bytes[line...].drop { $0 == UInt8(ascii: " ") }
        guard rest.first == UInt8(ascii: "-"), let after = rest.dropFirst().first, " \n\r".utf8.contains(after) else { return nil }
        return rest.startIndex - line + 1
    }
}
