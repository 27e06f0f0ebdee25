// SPDX-License-Identifier: GPL-2.0-or-later
/// The bytes of one configuration file.
package struct ConfigurationText: Sendable, Hashable {
    /// The file's path, as errors show it.
    package var path: String
    /// Its contents.
    package var bytes: [UInt8]

    /// A file's path and contents.
    package init(path: String, bytes: [UInt8]) {
        (self.path, self.bytes) = (path, bytes)
    }
}

extension ConfigurationText {
    /// What keeps the bytes from being a text that can be read at all.
    ///
    /// Characters that YAML does not allow are looked for here and not left to libyaml, which gives no line for them. With them go
    /// those that libyaml takes for the end of a line and no editor does, so that line numbers are those of editors.
    ///
    /// - Returns: whether all is ASCII.
    func check(_ errors: inout ErrorList) -> Bool {
        guard !bytes.isEmpty else {
            // An interrupted write leaves such a file.
            errors.add(Place.start, "the file is empty; to ask for no rules, write \"services: []\"")
            return false
        }
        guard bytes.count <= Configuration.maximumFileSize else {
            errors.add(Place.start, "the file is larger than 16 MiB; several smaller ones can be in conf.d")
            return false
        }
        if isPlain { return true }
        checkCharacters(&errors)
        return false
    }

    /// Whether all is printable ASCII, line feeds and tabs.
    private var isPlain: Bool {
        bytes.withUnsafeBytes { bytes in
            let ones: UInt64 = 0x0101_0101_0101_0101
            let high = ones &* 0x80
            let whole = bytes.count & ~7
            for start in stride(from: 0, to: whole, by: 8) {
                let eight = bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)
                // A bit is left for bytes above 0x7e and below 0x20 (and sometimes for one beside those).
                guard (eight | (eight &+ ones) | (eight &- ones &* 0x20)) & high != 0 else { continue }
                if !bytes[start..<start + 8].allSatisfy(ConfigurationText.isPlain) { return false }
            }
            return bytes[whole...].allSatisfy(ConfigurationText.isPlain)
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t")
    }

    private func checkCharacters(_ errors: inout ErrorList) {
        // A line feed is part of no other character, so lines can be judged one by one.
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (line, content) in lines.enumerated() {
            guard content.contains(where: { !(0x20...0x7e).contains($0) && $0 != UInt8(ascii: "\t") }) else { continue }
            guard let text = String(validating: content, as: UTF8.self) else {
                errors.add(Place(line: line + 1, column: 1 + validPrefix(of: content)), "invalid UTF-8")
                continue
            }
            var column = 0
            let count = text.unicodeScalars.count
            for scalar in text.unicodeScalars {
                column += 1
                switch scalar.value {
                case 0x09, 0x20...0x7e, 0xa0...0x2027, 0x202a...0xfefe, 0xff00...0xfffd, 0x10000...: continue
                case 0x0d where column == count && line < lines.count - 1: continue
                case 0xfeff where line == 0 && column == 1:
                    column = 0  // no editor shows or counts it
                    continue
                default: break
                }
                let digits = String(scalar.value, radix: 16, uppercase: true)
                let name = "U+" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
                errors.add(Place(line: line + 1, column: column), "the character \(name) is not allowed")
                break
            }
        }
    }

    /// How many characters there are before the first byte that is not UTF-8.
    private func validPrefix(of line: ArraySlice<UInt8>) -> Int {
        var rest = line
        var count = 0
        while !rest.isEmpty, let length = (1...4).first(where: { String(validating: rest.prefix($0), as: UTF8.self) != nil }) {
            rest = rest.dropFirst(length)
            count += 1
        }
        return count
    }
}
