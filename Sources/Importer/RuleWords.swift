// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Lines of iptables-save text or of a script, split into words as iptables-restore and a shell do.
///
/// Example: `-A INPUT -m comment --comment "a \"b\"\nc" -j DROP` is one line of seven words, the sixth of which holds a line
/// break: inside quotes a line feed does not end the line.
struct RuleWords: Sequence, IteratorProtocol {
    /// One line.
    struct Line {
        /// Its number, counted from 1.
        let number: Int
        /// Its words; nil where a quote is not closed.
        let words: [[UInt8]]?
        /// The line as it is.
        let text: ArraySlice<UInt8>
    }

    private let bytes: [UInt8]
    private var offset: Int
    private var number = 0

    /// The lines of the text. A byte order mark at its start is passed over.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    }

    mutating func next() -> Line? {
        guard offset < bytes.count else { return nil }
        number += 1
        let first = number
        let start = offset
        var words: [[UInt8]] = []
        var word: [UInt8]?
        var quote: UInt8?
        scan: while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            switch byte {
            case UInt8(ascii: "\\") where quote != UInt8(ascii: "'") && offset < bytes.count:
                word = (word ?? []) + [bytes[offset]]
                if bytes[offset] == UInt8(ascii: "\n") { number += 1 }
                offset += 1
            case UInt8(ascii: "\n"):
                if quote == nil { break scan }
                number += 1
                word?.append(byte)
            case quote: quote = nil
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                if quote == nil {
                    quote = byte
                    word = word ?? []
                } else {
                    word?.append(byte)
                }
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                if quote != nil {
                    word?.append(byte)
                } else {
                    if let word { words.append(word) }
                    word = nil
                }
            case UInt8(ascii: "#") where quote == nil && words.isEmpty && word == nil:
                // A comment: quotes in it are no quotes.
                while offset < bytes.count, bytes[offset] != UInt8(ascii: "\n") { offset += 1 }
                words.append([byte])
            default:
                if word == nil { word = [byte] } else { word?.append(byte) }
            }
        }
        if let word { words.append(word) }
        var end = offset
        while end > start, bytes[end - 1] == UInt8(ascii: "\n") || bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        guard quote == nil else {
            // What follows an open quote is not lost with it: only the line that opens it is.
            offset = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
            number = first
            return Line(number: first, words: nil, text: bytes[start..<Swift.min(end, Swift.max(offset - 1, start))])
        }
        return Line(number: first, words: words, text: bytes[start..<end])
    }
}
