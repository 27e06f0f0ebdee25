// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import RandomConfigurations
import RandomNumbers
import ReferenceReader
import Testing

@Suite("The reader and a plain walk over the document")
struct DifferentialTests {
    @Test("Agree on the bad files: the same errors at the same places", arguments: BadFile.all)
    func badFiles(_ file: BadFile) {
        #expect([.refused, .accepted, .broken, .passedOver].contains(ReferenceReader.compare(Array(file.text.utf8))))
    }

    @Test("Agree on the shipped files")
    func shipped() throws {
        let configs = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Configs").standardized
        let examples = try FileManager.default.contentsOfDirectory(
            at: configs.appendingPathComponent("examples"), includingPropertiesForKeys: nil)
        for url in examples where url.pathExtension == "yaml" {
            #expect(ReferenceReader.compare(Array(try Data(contentsOf: url))) == .accepted, "\(url.lastPathComponent)")
        }
    }

    @Test("Agree on files that were damaged at random, and most of these are still read", arguments: 0..<8)
    func damaged(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed + 1)
        let configs = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Configs/examples").standardized
        var files = try FileManager.default.contentsOfDirectory(at: configs, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "yaml" }.sorted { $0.path < $1.path }.map { Array(try Data(contentsOf: $0)) }
        files += BadFile.all.map { Array($0.text.utf8) }
        let pieces = Pieces.all
        var (refused, accepted) = (0, 0)
        for _ in 0..<1500 {
            var bytes = files.randomElement(using: &numbers) ?? []
            let whole = bytes
            for _ in 0..<Int.random(in: 1...4, using: &numbers) {
                let start = Int.random(in: 0...bytes.count, using: &numbers)
                let end = Int.random(in: start...min(bytes.count, start + 12), using: &numbers)
                let piece = Bool.random(using: &numbers) ? pieces.randomElement(using: &numbers) ?? [] : []
                bytes.replaceSubrange(start..<(Bool.random(using: &numbers) ? end : start), with: piece)
            }
            if let how = ReferenceReader.differenceKnowing(whole, bytes) { Issue.record("\(how)") }
            switch ReferenceReader.compare(bytes) {
            case .refused: refused += 1
            case .accepted: accepted += 1
            case .broken, .passedOver: break
            case .differs(let how): Issue.record("\(how)\n\(String(decoding: bytes, as: UTF8.self))")
            }
        }
        // Else nothing much was compared.
        #expect(refused > 300 && accepted > 100, "\(refused) refused, \(accepted) accepted")
    }
}

/// What is likely to lead a reader astray.
private enum Pieces {
    static let all = [
        "! ", "!", "!eth0", "&a ", "*a", "~", "null", ": ", "- ", "\n", "\n  - ", "[", "]", "{", "}", ", ", "\"", "'", "# ", "any",
        "0", "1-65535", "é",
        "10.0.0.0/8", "\"!10.0.0.0/8\"", "::1", "\"2001:db8::/32\"", "0.0.0.0/0", "\"!0.0.0.0/0\"", "\"!::/0\"", "eth+",
        "\"!eth+\"", "+", "\"!+\"",
        "hooks: [output]", "random: true", "to: unchanged", "to: virtual-address", "forwarding: direct", "udp: any",
        "destination-udp: [53]", "tcp: []",
        "protocols: any", "protocols: [esp, 6]", "name: x", "nmae: x",
        "source-macs: [\"02:00:5e:10:00:02\", \"!02:00:5e:10:00:02\"]",
        "active: {}", "control-port: [21, 22-23]", "!!str ", "|\n", ">-\n", "---\n", "...\n", "%YAML 1.1\n",
    ].map { Array($0.utf8) }
}
