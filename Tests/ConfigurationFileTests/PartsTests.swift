// SPDX-License-Identifier: GPL-2.0-or-later
import RandomNumbers
import ReferenceReader
import Testing

@testable import ConfigurationFile

@Suite("Files that are read in parts")
struct PartsTests {
    @Test("What is read by two threads is what is read by one, at the same places", arguments: 0..<4)
    func inTwo(_ seed: UInt64) {
        var numbers = SeededNumbers(seed + 1)
        var cut = 0
        for _ in 0..<50 {
            let bytes = Array(RandomFile(&numbers).text.utf8)
            #expect(ReferenceReader.compare(bytes) == .accepted, "\(String(decoding: bytes, as: UTF8.self))")
            if isCut(bytes) { cut += 1 }
        }
        // Else nothing much was compared.
        #expect(cut > 25)
    }

    @Test(
        "The file is not cut at what only looks like an entry",
        arguments: [
            "ftp: |\n  - a\n  - b\n  - c\n", "services:\n  - name: 'a\n  - b'\n  - c\n", "services: [a,\n  - b,\n  - c]\n",
            "services:\n  - name: a\n...\n  - name: b\n", "services:\n  - name: a\ndaemon: {}\n  - name: b\n",
            "services: \"\n  - a\n  - b\n", "services:\n  - a: [\n  - b\n  - c]\n", "services: &a\n  - b\n  - *a\n",
            "services:\n  - a\n--- \nservices:\n  - b\n", "services:\n  - a\nservices:\n  - b\n  - c\n",
            "services:\n  - {name: a, mark: 1, addresses: [10.0.0.1], tcp: [80]}\n...\n  - {name: b, mark: 2, addresses: [10.0.0.2], tcp: [80]}\n",
            "services:\n  -\n  - b\n", "services:\n  - - a\n  - - b\n", "? services\n:\n  - a\n  - b\n",
        ])
    func noPlace(_ text: String) {
        #expect([.refused, .broken].contains(ReferenceReader.compare(Array(text.utf8))))
    }

    @Test("A setting has its place in the file, before the cut and after it", arguments: [true, false])
    func settings(_ isFirst: Bool) {
        let services =
            "services:\n" + (1...9).map { "  - {name: s\($0), mark: \($0), addresses: [10.0.0.\($0)], tcp: [80]}\n" }.joined()
        let daemon = "daemon:\n  on-drift: repair\n"
        let bytes = Array((isFirst ? daemon + services : services + daemon).utf8)
        #expect(isCut(bytes) && ReferenceReader.compare(bytes) == .accepted)
    }

    @Test("A large file is the same, and is read by two threads", arguments: ["  ", ""])
    func large(_ indentation: String) throws {
        let entries = (0..<2000).map {
            "\(indentation)- {name: s\($0), mark: \($0 + 1), addresses: [10.0.\($0 / 256).\($0 % 256)], tcp: [80]}\n"
        }
        let bytes = Array(("services:\n" + entries.joined()).utf8)
        #expect(bytes.count > EntryCut.leastSize && isCut(bytes))
        #expect(ReferenceReader.compare(bytes) == .accepted)
        let loaded = try Configuration.load([ConfigurationText(path: "f", bytes: bytes)])
        #expect(loaded.position(ofService: 1999).line == 2001)
    }

    @Test("A reader that knows the file of before reads the same as one that does not", arguments: 0..<4)
    func knowing(_ seed: UInt64) {
        var numbers = SeededNumbers(seed + 100)
        var reread = 0
        for _ in 0..<50 {
            var file = RandomFile(&numbers)
            let before = Array(file.text.utf8)
            file.change(&numbers)
            let after = Array(file.text.utf8)
            if let how = ReferenceReader.differenceKnowing(before, after) { Issue.record("\(how)") }
            if isReread(before, after) { reread += 1 }
        }
        #expect(reread > 8)
    }

    @Test("So does a reader that knows several files, of which one has changed, or none, or two", arguments: 0..<4)
    func knowingSeveral(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed + 200)
        for _ in 0..<25 {
            var files = (0..<3).map { RandomFile(&numbers, letter: ["a", "b", "c"][$0]) }
            func texts() -> [ConfigurationText] {
                files.enumerated().map { ConfigurationText(path: "\($0)", bytes: Array($1.text.utf8)) }
            }
            let known = try Configuration.load(texts())
            for _ in 0..<Int.random(in: 0...2, using: &numbers) { files[Int.random(in: 0..<3, using: &numbers)].change(&numbers) }
            let texts = texts()
            func load(_ known: LoadedConfiguration?) -> Result<LoadedConfiguration, ConfigurationErrors> {
                Result { () throws(ConfigurationErrors) in try Configuration.load(texts, knowing: known) }
            }
            #expect(load(known) == load(nil))
        }
    }

    private func isCut(_ bytes: [UInt8]) -> Bool {
        let text = ConfigurationText(path: "f", bytes: bytes)
        return bytes.withUnsafeBufferPointer { bytes in
            var begun = ConfigurationDraft()
            begun.begin(text)
            guard let cut = EntryCut(bytes, after: bytes.count / 2) else { return false }
            return ConfigurationDecoder.decodeInTwo(text, at: cut, isASCII: false, begun) != nil
        }
    }

    private func isReread(_ before: [UInt8], _ after: [UInt8]) -> Bool {
        let texts = [before, after].map { ConfigurationText(path: "f", bytes: $0) }
        guard let known = try? Configuration.load([texts[0]]) else { return false }
        return Rereading.draft(of: [texts[1]], knowing: known) != nil
    }
}

/// A file as a person might write it: sections in any order, entries in one line or several, comments between them.
private struct RandomFile {
    private var sections: [(key: String, indentation: String, entries: [String])] = []
    private let letter: String
    private var count = 0

    init(_ numbers: inout SeededNumbers, letter: String = "n") {
        self.letter = letter
        for key in ["ftp", "services", "masquerade"].shuffled(using: &numbers).prefix(Int.random(in: 1...3, using: &numbers)) {
            let indentation = ["", "  ", "   "].randomElement(using: &numbers) ?? ""
            sections.append((key, indentation, []))
            for _ in 0..<Int.random(in: 1...12, using: &numbers) {
                sections[sections.count - 1].entries.append(entry(key, indentation, &numbers))
            }
        }
    }

    var text: String {
        sections.map { section in "\(section.key):  # é\n" + section.entries.joined() }.joined()
    }

    /// Takes an entry out, puts one in, writes one anew, or damages it.
    mutating func change(_ numbers: inout SeededNumbers) {
        let number = Int.random(in: 0..<sections.count, using: &numbers)
        let (key, indentation, entries) = sections[number]
        let place = Int.random(in: 0..<entries.count, using: &numbers)
        switch Int.random(in: 0..<6, using: &numbers) {
        case 0 where entries.count > 1: sections[number].entries.remove(at: place)
        case 1: sections[number].entries.insert(entry(key, indentation, &numbers), at: place)
        case 2: sections[number].entries.append(entry(key, indentation, &numbers))
        case 3: sections[number].entries[place] = entry(key, indentation, &numbers) + entry(key, indentation, &numbers)
        case 4:
            sections[number].entries[place] +=
                ["daemon: {}\n", "...\n", "\"\n", "  # \n", "services:\n", "x"].randomElement(using: &numbers) ?? ""
        default: sections[number].entries[place] = entry(key, indentation, &numbers)
        }
    }

    private mutating func entry(_ key: String, _ indentation: String, _ numbers: inout SeededNumbers) -> String {
        count += 1
        let address = "10.\(letter.utf8.first ?? 0).\(Int.random(in: 0...255, using: &numbers)).\(count)"
        var members = ["name: \(letter)-\(key)-\(count)"]
        switch key {
        case "ftp": members += ["mark: \(count)", "addresses: [\(address)]", "passive-ports: 10000-20000"]
        case "services": members += ["mark: \(count)", "addresses: [\(address)]", "tcp: [80, 443]"]
        default: members += ["sources: [\(address)]"]
        }
        let comment = ["", "\(indentation)# a comment\n", "\n", "# é\n"].randomElement(using: &numbers) ?? ""
        switch Int.random(in: 0..<4, using: &numbers) {
        case 0: return "\(indentation)- {\(members.joined(separator: ", "))}\n\(comment)"
        case 1: return "\(indentation)- {\(members.joined(separator: ",\n\(indentation)   "))}\n\(comment)"
        case 2: return "\(indentation)-\n" + members.map { "\(indentation)   \($0)\n" }.joined() + comment
        default: return "\(indentation)- \(members[0])\n" + members.dropFirst().map { "\(indentation)  \($0)\n" }.joined() + comment
        }
    }
}
