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
    private var number = 1

    /// The lines of the text. A byte order mark at its start is passed over.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    }

    mutating func next() -> Line? {
        guard offset < bytes.count else { return nil }
        let (first, start) = (number, offset)
        var reader = WordReader()
        while offset < bytes.count, !reader.isDone { reader.read(bytes, &offset, &number) }
        var end = offset
        while end > start, [UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: ";")].contains(bytes[end - 1]) { end -= 1 }
        guard !reader.isOpen else {
            // What follows an open quote is not lost with it: only the line that opens it is.
            offset = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
            number = first + 1
            return Line(number: first, words: nil, text: bytes[start..<Swift.min(end, Swift.max(offset - 1, start))])
        }
        return Line(number: first, words: reader.words, text: bytes[start..<end])
    }
}

/// Puts bytes together to words.
private struct WordReader {
    private(set) var words: [[UInt8]] = []
    private(set) var isDone = false
    private var word: [UInt8]?
    private var quote: UInt8?
    /// Whether the quote is `$'…'`, in which a backslash stands for more than the next byte.
    private var isEscaping = false

    var isOpen: Bool { quote != nil }

    private mutating func finishWord() {
        if let word { words.append(word) }
        word = nil
    }

    private mutating func add(_ byte: UInt8) {
        if word == nil { word = [byte] } else { word?.append(byte) }
    }

    /// Reads one byte, and what belongs to it.
    mutating func read(_ bytes: [UInt8], _ offset: inout Int, _ number: inout Int) {
        let byte = bytes[offset]
        offset += 1
        let next = offset < bytes.count ? bytes[offset] : nil
        switch byte {
        case UInt8(ascii: "\n"):
            number += 1
            if quote == nil { isDone = true } else { word?.append(byte) }
        case UInt8(ascii: "\\") where next != nil && (quote != UInt8(ascii: "'") || isEscaping):
            escape(bytes, &offset, &number)
        case quote: (quote, isEscaping) = (nil, false)
        case _ where quote != nil: word?.append(byte)
        case UInt8(ascii: "$") where next == UInt8(ascii: "'"): isEscaping = true
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            quote = byte
            word = word ?? []
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): finishWord()
        // In a script another command follows.
        case UInt8(ascii: ";"): isDone = true
        case UInt8(ascii: "&") where next == byte && word == nil:
            offset += 1
            isDone = true
        case UInt8(ascii: "#") where word == nil:
            // A comment: quotes in it are no quotes.
            while offset < bytes.count, bytes[offset] != UInt8(ascii: "\n") { offset += 1 }
            if words.isEmpty { words.append([byte]) }
        default: add(byte)
        }
        if isDone || offset == bytes.count { finishWord() }
    }

    /// Reads what is after a backslash. Outside of quotes one at the end of a line lets it go on.
    private mutating func escape(_ bytes: [UInt8], _ offset: inout Int, _ number: inout Int) {
        var byte = bytes[offset]
        offset += 1
        if quote == nil, byte == UInt8(ascii: "\r"), offset < bytes.count, bytes[offset] == UInt8(ascii: "\n") {
            byte = bytes[offset]
            offset += 1
        }
        if byte == UInt8(ascii: "\n") {
            number += 1
            if quote == nil { return finishWord() }
        }
        guard isEscaping else { return add(byte) }
        switch byte {
        case UInt8(ascii: "n"): add(UInt8(ascii: "\n"))
        case UInt8(ascii: "t"): add(UInt8(ascii: "\t"))
        case UInt8(ascii: "r"): add(UInt8(ascii: "\r"))
        default: add(byte)
        }
    }
}
