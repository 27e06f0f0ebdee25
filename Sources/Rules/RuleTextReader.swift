/// Reads the text of `iptables-save`, and of scripts with `iptables` commands, in time that grows with its length.
///
/// By bytes: lines end with LF or CRLF, quotes may have line breaks in them, and nothing has to be UTF-8.
package struct RuleTextReader {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var found = FoundTables()
    /// Family of what comes next, as far as the text says.
    private var family = Family.ipv4
    /// The open table of a dump: its lines wait for its end, which tells its family.
    private var open: (table: Table, statements: [Statement])?
    private var builders: [TableID: TableBuilder] = [:]

    /// One command: the words after the program's name, or a line of a dump.
    struct Statement {
        var line: Int
        var words: [[UInt8]]
        var text: String
    }

    /// Reads the text.
    package static func read(_ bytes: [UInt8]) -> FoundTables {
        var reader = RuleTextReader(bytes: bytes)
        reader.run()
        return reader.found
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func run() {
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { index = 3 }
        while index < bytes.count {
            let start = index
            let startLine = line
            let (words, isQuotedStart) = nextLine()
            guard let first = words.first, !first.isEmpty else { continue }
            let text = printable(bytes[start..<index].trimmed)
            if first[0] == UInt8(ascii: "#"), !isQuotedStart {
                if words.count > 3, words[1].elementsEqual("Generated".utf8) {
                    family = words[3].starts(with: "ip6tables".utf8) ? .ipv6 : .ipv4
                }
            } else if first[0] == UInt8(ascii: "*") {
                close()
                guard let table = Table(rawValue: String(decoding: first.dropFirst(), as: UTF8.self)) else {
                    found.remarks.append("line \(startLine): there is no table \(printable(first.dropFirst()))")
                    continue
                }
                open = (table, [])
            } else if first.elementsEqual("COMMIT".utf8) {
                close()
            } else if open != nil {
                open?.statements.append(Statement(line: startLine, words: words, text: text))
            } else {
                command(Statement(line: startLine, words: words, text: text))
            }
        }
        close()
        for (id, builder) in builders { found.tables[id] = builder.chains }
    }

    // MARK: - Dumps and commands

    private mutating func close() {
        guard let (table, statements) = open else { return }
        open = nil
        let isSix = family == .ipv6 || statements.contains { RuleTextReader.hasAddressOfIPv6($0.words) }
        for statement in statements { take(statement, TableID(isSix ? .ipv6 : .ipv4, table)) }
        builders[TableID(isSix ? .ipv6 : .ipv4, table), default: TableBuilder(table)].touch()
    }

    private static func hasAddressOfIPv6(_ words: [[UInt8]]) -> Bool {
        let options: Set<[UInt8]> = [Array("-s".utf8), Array("-d".utf8)]
        return words.indices.dropLast().contains { options.contains(words[$0]) && words[$0 + 1].contains(UInt8(ascii: ":")) }
    }

    /// A line of a script: everything but calls of iptables is passed over.
    private mutating func command(_ statement: Statement) {
        var words = statement.words[...]
        while let word = words.first {
            let name = word.split(separator: UInt8(ascii: "/")).last ?? []
            if name.starts(with: "iptables".utf8) || name.starts(with: "ip6tables".utf8) {
                guard !name.contains(where: { $0 == UInt8(ascii: ".") }) else { return }
                let family: Family = name.starts(with: "ip6tables".utf8) ? .ipv6 : .ipv4
                var rest = Array(words.dropFirst())
                var table = Table.filter
                if let place = rest.firstIndex(where: { $0.elementsEqual("-t".utf8) || $0.elementsEqual("--table".utf8) }),
                    place + 1 < rest.count
                {
                    guard let named = Table(rawValue: String(decoding: rest[place + 1], as: UTF8.self)) else { return }
                    table = named
                    rest.removeSubrange(place...place + 1)
                }
                rest.removeAll { $0.elementsEqual("-w".utf8) || $0.elementsEqual("--wait".utf8) }
                return take(Statement(line: statement.line, words: rest, text: statement.text), TableID(family, table))
            }
            // Words like sudo may come before.
            guard word.elementsEqual("sudo".utf8) || word.contains(UInt8(ascii: "=")) else { return }
            words = words.dropFirst()
        }
    }

    private mutating func take(_ statement: Statement, _ id: TableID) {
        let remark = builders[id, default: TableBuilder(id.table)].take(statement, id, &found)
        if let remark { found.remarks.append("line \(statement.line): \(remark): \(statement.text)") }
    }

    // MARK: - Words

    /// The words up to the end of the line; whether the first one begins with a quote.
    private mutating func nextLine() -> (words: [[UInt8]], isQuoted: Bool) {
        var words: [[UInt8]] = []
        var word: [UInt8]?
        var isQuoted = false
        // A comment of the file: to the end of the line, whatever quotes it has.
        var rest = bytes[index...]
        while let byte = rest.first, byte == 0x20 || byte == 0x09 { rest = rest.dropFirst() }
        let isComment = rest.first == UInt8(ascii: "#")
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case 0x0a:
                line += 1
                if let word { words.append(word) }
                return (words, isQuoted)
            case 0x0d where index == bytes.count || bytes[index] == 0x0a: continue
            case 0x20, 0x09:
                if let done = word { words.append(done) }
                word = nil
            case UInt8(ascii: "\"") where !isComment:
                if words.isEmpty, word == nil { isQuoted = true }
                readQuoted(byte, escapes: true, &word)
            case UInt8(ascii: "'") where !isComment && open == nil:
                let isDollar = word?.last == UInt8(ascii: "$")
                if isDollar { word?.removeLast() }
                readQuoted(byte, escapes: isDollar, &word)
            case UInt8(ascii: "\\") where !isComment && index < bytes.count:
                if bytes[index] == 0x0a { line += 1 } else { word = (word ?? []) + [bytes[index]] }
                index += 1
            default: word = (word ?? []) + [byte]
            }
        }
        if let word { words.append(word) }
        return (words, isQuoted)
    }

    private mutating func readQuoted(_ quote: UInt8, escapes: Bool, _ word: inout [UInt8]?) {
        var text = word ?? []
        word = nil
        while index < bytes.count, bytes[index] != quote {
            var byte = bytes[index]
            if byte == UInt8(ascii: "\\"), escapes, index + 1 < bytes.count {
                index += 1
                byte = bytes[index]
                if quote == UInt8(ascii: "'") { byte = [UInt8(ascii: "n"): 0x0a, UInt8(ascii: "t"): 0x09][byte] ?? byte }
            }
            if bytes[index] == 0x0a { line += 1 }
            text.append(byte)
            index += 1
        }
        index += 1
        if index > bytes.count { index = bytes.count }
        word = text
    }
}

extension ArraySlice<UInt8> {
    /// Without white space at both ends.
    fileprivate var trimmed: ArraySlice<UInt8> {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
        var slice = drop(while: isSpace)
        while let last = slice.last, isSpace(last) { slice = slice.dropLast() }
        return slice
    }
}
