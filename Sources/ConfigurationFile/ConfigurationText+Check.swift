extension ConfigurationText {
    /// What keeps the bytes from being a text that can be read at all, each with its line and column.
    ///
    /// Characters that YAML does not allow are looked for here and not left to libyaml, which tells no line for them. With them go
    /// those that libyaml takes for the end of a line and no editor does, so that everybody counts the same lines.
    func check() -> [Fault] {
        if bytes.isEmpty {
            // An interrupted write leaves such a file. To take every rule out must be said in so many words.
            return [
                fault(
                    1, 1, "the file is empty",
                    "at least a comment, or \"services: []\"; a file of no bytes is what an interrupted write leaves")
            ]
        }
        guard bytes.count <= Configuration.maximumFileSize else {
            return [fault(1, 1, "the file is larger than 16 MiB", "a smaller file, or several in conf.d")]
        }
        let isPlain = bytes.allSatisfy { byte in
            (0x20...0x7e).contains(byte) || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t")
        }
        return isPlain ? [] : checkCharacters()
    }

    private func checkCharacters() -> [Fault] {
        var faults: [Fault] = []
        // A line feed is part of no other character, so lines can be judged one by one.
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (line, content) in lines.enumerated() where faults.count <= FaultList.limit {
            guard let text = String(validating: content, as: UTF8.self) else {
                faults.append(fault(line + 1, 1 + validPrefix(of: content), "this is not UTF-8", "text in UTF-8"))
                continue
            }
            var column = 0
            for scalar in text.unicodeScalars {
                column += 1
                switch scalar.value {
                case 0x09, 0x20...0x7e, 0xa0...0x2027, 0x202a...0xfefe, 0xff00...0xfffd, 0x10000...: continue
                case 0x0d where column == text.unicodeScalars.count && line < lines.count - 1: continue
                case 0xfeff where line == 0 && column == 1:
                    column = 0  // no editor shows or counts it
                    continue
                default: break
                }
                let digits = String(scalar.value, radix: 16, uppercase: true)
                let name = "U+" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
                faults.append(
                    fault(line + 1, column, "the character \(name) stands here", "printable characters, spaces and line feeds"))
                break
            }
        }
        return faults
    }

    /// How many characters stand before the first byte that is not UTF-8.
    private func validPrefix(of line: ArraySlice<UInt8>) -> Int {
        var rest = line
        var count = 0
        while !rest.isEmpty, let length = (1...4).first(where: { String(validating: rest.prefix($0), as: UTF8.self) != nil }) {
            rest = rest.dropFirst(length)
            count += 1
        }
        return count
    }

    private func fault(_ line: Int, _ column: Int, _ problem: String, _ expected: String) -> Fault {
        Fault(position: SourcePosition(file: path, line: line, column: column), path: "", problem: problem, expected: expected)
    }
}
