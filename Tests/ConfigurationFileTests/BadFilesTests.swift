// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Rules
import Testing

/// A configuration that is refused, and every error it is refused for.
struct BadFile: Sendable, CustomTestStringConvertible {
    var title: String
    var text = ""
    /// `line:column: …`, in order.
    var errors: [String] = []

    var testDescription: String { title }

    /// The cases of bad-files.txt, which says how it is written.
    static let all: [BadFile] = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("bad-files.txt")
        guard let contents = try? String(contentsOf: path, encoding: .utf8) else { return [] }
        var files: [BadFile] = []
        for line in contents.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("== ") {
                files.append(BadFile(title: String(line.dropFirst(3))))
            } else if line.hasPrefix("=> "), !files.isEmpty {
                files[files.count - 1].errors.append(String(line.dropFirst(3)))
            } else if let last = files.last, last.errors.isEmpty {
                files[files.count - 1].text += plain(line) + "\n"
            }
        }
        return files
    }()

    private static func plain(_ line: Substring) -> String {
        var result = ""
        var rest = line[...]
        while let character = rest.popFirst() {
            guard character == "\\", let kind = rest.popFirst() else {
                result.append(character)
                continue
            }
            switch kind {
            case "t": result += "\t"
            case "r": result += "\r"
            case "u":
                let digits = rest.dropFirst().prefix { $0 != "}" }
                rest = rest.dropFirst(digits.count + 2)
                UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init).map { result.unicodeScalars.append($0) }
            default: result.append(kind)
            }
        }
        return result
    }
}

@Suite("Files that are refused")
struct BadFilesTests {
    @Test("The table of bad files is there")
    func table() {
        #expect(BadFile.all.count > 90)
        #expect(BadFile.all.filter(\.errors.isEmpty).map(\.title) == [])
        #expect(Set(BadFile.all.map(\.title)).count == BadFile.all.count)
    }

    @Test("Every error is found, with its line and column, what is wrong, and what to write", arguments: BadFile.all)
    func errors(_ file: BadFile) {
        #expect(errorLines([("f", Array(file.text.utf8))]) == file.errors.map { "f:" + $0 })
    }

    @Test("Bytes that are not UTF-8 are found in their line and column")
    func notUTF8() {
        let bytes = Array("services: []\n# é ".utf8) + [0xe9] + Array("\n# fine\n# ".utf8) + [0xed, 0xa0, 0x80]
        #expect(errorLines([("f", bytes)]) == ["f:2:5: invalid UTF-8", "f:4:3: invalid UTF-8"])
    }

    @Test("A file of 16 MiB is read, one with a byte more is not")
    func size() {
        var bytes = Array("services: []\n".utf8)
        bytes += [UInt8](repeating: UInt8(ascii: "#"), count: Configuration.maximumFileSize - bytes.count)
        #expect(errorLines([("f", bytes)]) == [])
        let tooMany = bytes + [UInt8(ascii: "#")]
        #expect(errorLines([("f", tooMany)]) == ["f:1:1: the file is larger than 16 MiB; several smaller ones can be in conf.d"])
    }

    @Test("Sixteen levels are read, and the seventeenth ends the reading at once, however many follow")
    func depth() {
        let deep = "services: " + String(repeating: "[", count: 5_000_000)
        let errors = errorLines([("f", Array(deep.utf8))])
        #expect(errors.contains("f:1:26: lists and mappings are more than 16 deep in one another"))
        // The root is the first level.
        let allowed = "services: " + String(repeating: "[", count: 15) + String(repeating: "]", count: 15)
        #expect(!errorLines([("f", Array(allowed.utf8))]).contains { $0.contains("deep") })
    }

    @Test("A thousand errors are kept and all are counted, also those that are found between entries and in other files")
    func counted() throws {
        let text = "a: 1\n" + (0..<5000).map { "key\($0): &anchor\($0) value\n" }.joined()
        var names = "services:\n"
        for index in 0..<2000 { names += "  - {name: a, mark: 1, addresses: [192.0.2.\(index % 250)], tcp: [80]}\n" }
        let refused = #expect(throws: ConfigurationErrors.self) {
            try Configuration.load([
                ConfigurationText(path: "f", bytes: Array(text.utf8)), ConfigurationText(path: "g", bytes: Array(names.utf8)),
            ])
        }
        #expect(refused?.errors.count == 1000)
        // An unknown key and an anchor each, and names alike.
        #expect(refused?.count == 1 + 5000 * 2 + 1999)
        #expect(refused?.description.hasSuffix("\n11000 more errors are not shown") == true)
    }

    @Test("An error stays on one line of bounded length, whatever is in the file")
    func oneLine() {
        let name = String(repeating: "x", count: 10_000)
        let text = "services:\n  - name: \"a\\n\\e]0;owned\\a\\u202eb\"\n  - name: \(name)\n"
        let errors = errorLines([("f", Array(text.utf8))])
        #expect(errors.contains { $0.contains(#"invalid name "a\n\u{1B}]0;owned\u{07}\u{202E}b""#) })
        #expect(errors.allSatisfy { $0.utf8.count < 800 && $0.unicodeScalars.allSatisfy { $0.value >= 0x20 } })
    }
}

/// The errors of the files, each as a line.
func errorLines(_ files: [(path: String, bytes: [UInt8])]) -> [String] {
    do throws(ConfigurationErrors) {
        _ = try Configuration.load(files.map { ConfigurationText(path: $0.path, bytes: $0.bytes) })
        return []
    } catch {
        return error.errors.map(\.description)
    }
}
