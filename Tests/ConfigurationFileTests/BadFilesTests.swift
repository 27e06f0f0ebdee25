import ConfigurationFile
import Foundation
import Testing

/// A configuration that is refused, and every fault it is refused for.
struct BadFile: Sendable, CustomTestStringConvertible {
    var title: String
    var text = ""
    /// `line:column: …`, in order.
    var faults: [String] = []

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
                files[files.count - 1].faults.append(String(line.dropFirst(3)))
            } else if let last = files.last, last.faults.isEmpty {
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
        #expect(BadFile.all.count > 70)
        #expect(BadFile.all.filter(\.faults.isEmpty).map(\.title) == [])
    }

    @Test("Every fault is found, with its line and column, what is wrong, and what is expected", arguments: BadFile.all)
    func faults(_ file: BadFile) {
        #expect(faultLines([("f", Array(file.text.utf8))]) == file.faults.map { "f:" + $0 })
    }

    @Test("Bytes that are not UTF-8 are found in the line and the column where they stand")
    func notUTF8() {
        let bytes = Array("services: []\n# é ".utf8) + [0xe9] + Array("\n# fine\n# ".utf8) + [0xed, 0xa0, 0x80]
        #expect(
            faultLines([("f", bytes)]) == [
                "f:2:5: this is not UTF-8; expected text in UTF-8", "f:4:3: this is not UTF-8; expected text in UTF-8",
            ])
    }

    @Test("A file of 16 MiB is read, one with a byte more is not")
    func size() {
        var bytes = Array("services: []\n".utf8)
        bytes += [UInt8](repeating: UInt8(ascii: "#"), count: Configuration.maximumFileSize - bytes.count)
        #expect(faultLines([("f", bytes)]) == [])
        let tooMany = bytes + [UInt8(ascii: "#")]
        #expect(
            faultLines([("f", tooMany)]) == ["f:1:1: the file is larger than 16 MiB; expected a smaller file, or several in conf.d"]
        )
    }

    @Test("Sixteen levels are read, and the seventeenth ends the reading at once, however many follow")
    func depth() {
        let deep = "services: " + String(repeating: "[", count: 5_000_000)
        let faults = faultLines([("f", Array(deep.utf8))])
        #expect(
            faults.contains(
                "f:1:26: lists and mappings stand more than 16 deep in one another; expected the five levels that the language has")
        )
        // The root is the first level.
        let allowed = "services: " + String(repeating: "[", count: 15) + String(repeating: "]", count: 15)
        #expect(!faultLines([("f", Array(allowed.utf8))]).contains { $0.contains("deep") })
    }

    @Test("A file that is something else altogether is refused with a bounded number of faults")
    func bounded() {
        let text = (0..<5000).map { "key\($0): &anchor\($0) value\n" }.joined()
        let faults = faultLines([("f", Array(text.utf8))])
        #expect(faults.count == 1001)
        #expect(faults.last?.contains("more faults are not shown") ?? false)
    }

    @Test("A fault stays on one line of bounded length, whatever the file has in it")
    func oneLine() {
        let name = String(repeating: "x", count: 10_000)
        let text = "services:\n  - name: \"a\\n\\e]0;owned\\a\\u202eb\"\n  - name: \(name)\n"
        let faults = faultLines([("f", Array(text.utf8))])
        #expect(faults.contains { $0.contains(#""a\n\u{1B}]0;owned\u{07}\u{202E}b" is not a name"#) })
        #expect(faults.allSatisfy { $0.utf8.count < 800 && $0.unicodeScalars.allSatisfy { $0.value >= 0x20 } })
    }
}

/// The faults of the files, each as a line.
func faultLines(_ files: [(path: String, bytes: [UInt8])]) -> [String] {
    do throws(ConfigurationFaults) {
        _ = try Configuration.load(files.map { ConfigurationText(path: $0.path, bytes: $0.bytes) })
        return []
    } catch {
        return error.faults.map(\.description)
    }
}
