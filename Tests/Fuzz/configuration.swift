// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzes the configuration parser with libFuzzer: whatever the bytes are, there is an answer, it is a sound one, and a plain walk over
// the document gives the same.
import ConfigurationFile
import Planner
import ReferenceReader
import Rules

/// Tries one input: up to three files, divided by the byte 0xff, which is part of no UTF-8 text.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: data, count: size)
    let texts = bytes.split(separator: 0xff, maxSplits: 2, omittingEmptySubsequences: false).enumerated().map { number, part in
        ConfigurationText(path: "\(number)", bytes: Array(part))
    }
    for text in texts {
        if case .differs(let how) = ReferenceReader.compare(text.bytes) { fatalError(how) }
        for other in edited(text.bytes) {
            if let how = ReferenceReader.differenceKnowing(text.bytes, other) { fatalError(how) }
            if let how = ReferenceReader.differenceKnowing(other, text.bytes) { fatalError(how) }
        }
    }
    do throws(ConfigurationErrors) {
        check(try Configuration.load(texts), texts)
    } catch {
        check(error, texts)
    }
    return 0
}

/// The text as an editor might leave it: some lines fewer, or twice. Which ones depends on the text alone.
private func edited(_ bytes: [UInt8]) -> [[UInt8]] {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard lines.count > 2, lines.count < 1000 else { return [] }
    var seed = bytes.reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) }
    return (0..<3).map { number in
        seed = seed &* 1_664_525 &+ 1_013_904_223
        let first = Int(seed >> 8) % lines.count
        let last = min(lines.count, first + 1 + number)
        let twice = number == 1 ? lines[..<last] : lines[..<first]
        return Array((twice + lines[(number == 1 ? first : last)...]).joined(separator: [UInt8(ascii: "\n")]))
    }
}

/// What was accepted obeys the rules, and can be planned.
private func check(_ loaded: LoadedConfiguration, _ texts: [ConfigurationText]) {
    let configuration = loaded.configuration
    let services = configuration.allServices
    require(Set(services.map(\.name)).count == services.count, "two services have one name")
    require(loaded.files == texts && loaded.sha256.utf8.count == 64, "the files are others")
    for service in services {
        require(!service.traffic.isEmpty && !service.hooks.isEmpty, "an empty service")
        require(service.mark.value != 0, "mark 0")
    }
    require(MarkConflicts.find(in: services).isEmpty, "two marks for one packet")
    for layout in Planner.Layout.allCases {
        let ruleset = Planner.plan(for: configuration, layout: layout).ruleset
        for chain in ruleset.tables.values.joined() {
            for rule in chain.rules { require(!rule.iptablesSyntax.isEmpty, "a rule without words") }
        }
    }
}

/// Errors are within the files, in order, each on one line, and are the same when the files are read again.
private func check(_ refused: ConfigurationErrors, _ texts: [ConfigurationText]) {
    require((1...1000).contains(refused.errors.count) && refused.count >= refused.errors.count, "\(refused.count) errors")
    var last = (file: "", line: 0, column: 0)
    for error in refused.errors {
        guard let number = Int(error.file), texts.indices.contains(number) else { fatalError("an error in no file: \(error)") }
        let lines = texts[number].bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        require((1...lines.count + 1).contains(error.line), "a line that is not there: \(error)")
        let width = error.line <= lines.count ? lines[error.line - 1].count : 0
        require((1...width + 1).contains(error.column), "a column that is not there: \(error)")
        let here = (file: error.file, line: error.line, column: error.column)
        require(last <= here, "out of order: \(error)")
        last = here
        let text = error.description
        require(!error.message.isEmpty && text.utf8.count < 5000, "\(error)")
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }
        require(isPlain, "more than a line: \(error)")
    }
    do throws(ConfigurationErrors) {
        _ = try Configuration.load(texts)
        fatalError("refused once, and accepted then")
    } catch {
        require(error == refused, "other errors at the second reading")
    }
}

private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}
