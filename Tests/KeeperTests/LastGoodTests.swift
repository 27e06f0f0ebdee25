// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Keeper
import Testing

@Suite("The last good configuration")
struct LastGoodTests {
    @Test("What is kept is what was in the files, byte by byte, and is JSON")
    func roundTrip() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("last-good-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let texts = [
            ConfigurationText(
                path: "/etc/\"a\\b\u{1}\u{1f}é/f.yaml",
                bytes: Array(
                    "# \"quoted\", back\\slash, é, \u{202e}\r\nservices:\n  - {name: a, mark: 1, addresses: [10.0.0.1], tcp: [80]}\n"
                        .utf8)),
            ConfigurationText(path: "/etc/conf.d/g.yaml", bytes: Array("daemon: {}\t# a tab\n".utf8)),
        ]
        let loaded = try Configuration.load(texts)
        let lastGood = LastGood(stateDirectory: directory.path)
        try lastGood.save(loaded)
        #expect(try lastGood.load() == loaded)
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: lastGood.path))) as? [String: Any]
        let files = try #require(object?["files"] as? [[String: String]])
        #expect(files.map { $0["text"].map { Array($0.utf8) } } == texts.map(\.bytes))
        #expect(files.map { $0["path"] } == texts.map(\.path))
        #expect(object?["sha256"] as? String == loaded.filesSHA256)
    }

    @Test("What was written for a configuration that the kernel refuses is taken away, and the one before stays")
    func discarded() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("last-good-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let loaded = try [80, 81].map { port in
            try Configuration.load([
                ConfigurationText(
                    path: "f", bytes: Array("services: [{name: a, mark: 1, addresses: [10.0.0.1], tcp: [\(port)]}]".utf8))
            ])
        }
        let lastGood = LastGood(stateDirectory: directory.path)
        try lastGood.save(loaded[0])
        lastGood.stage(loaded[1])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).count == 2)
        lastGood.discardStaged()
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["last-good.json"])
        #expect(try lastGood.load() == loaded[0])
    }
}
