// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension ConfigurationDecoder {
    /// Reads a list with at least one value.
    ///
    /// - Parameters:
    ///   - orOne: whether one value may be there without a list.
    ///   - exclusions: whether values may begin with "!".
    ///   - parse: what a value is read as.
    ///   - add: takes each, with its number in the list and its place.
    mutating func elements<Value>(
        orOne: Bool = false, exclusions: Exclusions = .refused, _ parse: (ScalarText) throws(Refusal) -> Value,
        _ add: (Value, _ index: Int, Place) -> Void
    ) {
        let place = events.place
        guard events.kind == .sequenceStart else {
            guard orOne else { return oneForList(exclusions, parse) }
            if let value = element(isInList: false, exclusions, parse) { add(value, 0, place) }
            return
        }
        let count = list("") { (decoder, index) in
            let place = decoder.events.place
            if let value = decoder.element(isInList: true, exclusions, parse) { add(value, index, place) }
        }
        if count == 0 { draft.errors.add(place, "an empty list; leave the key out, or write a value") }
    }

    private mutating func element<Value>(
        isInList: Bool, _ exclusions: Exclusions, _ parse: (ScalarText) throws(Refusal) -> Value
    ) -> Value? {
        value(exclusions: exclusions) { (text) throws(Refusal) in
            do throws(Refusal) {
                return try parse(text)
            } catch {
                throw SeveralValues(text).refusal(isInList: isInList, error, exclusions, parse)
            }
        }
    }

    /// Notes a single value where there has to be a list.
    private mutating func oneForList<Value>(_ exclusions: Exclusions, _ parse: (ScalarText) throws(Refusal) -> Value) {
        if events.kind == .scalar, !events.isNull {
            let advice = SeveralValues(events.scalar).listAdvice(exclusions, parse)
            noteKind(advice)
        } else {
            noteKind("expected a list")
        }
        skip(exclusions)
    }
}

/// A text that may be several values in one: `80,443`.
private struct SeveralValues {
    /// The values; empty for a text that is no such list.
    let parts: [String]
    /// Whether there is a word between them that is no value: "80 and 443", "not eth0".
    let hasWords: Bool

    init(_ text: ScalarText) {
        guard text.bytes.count <= 4096 else {
            (parts, hasWords) = ([], false)
            return
        }
        let string = text.string
        let isExclusion = string.hasPrefix("!")
        let split = string.split { ", ;\t\n".contains($0) }.map { part in
            // One "!" before several is meant for all of them.
            isExclusion && !part.hasPrefix("!") ? "!\(part)" : String(part)
        }
        parts = split.filter { $0 != "!" }
        hasWords = parts.contains { ["and", "or", "not", "no", "except", "but", "to"].contains($0) }
    }

    /// What is wrong with a value that could not be read.
    func refusal<Value>(
        isInList: Bool, _ error: Refusal, _ exclusions: Exclusions, _ parse: (ScalarText) throws(Refusal) -> Value
    ) -> Refusal {
        guard parts.count > 1, !error.isFinal else { return error }
        if let exclusion = exclusion(exclusions, parse) {
            return Refusal("invalid value \"\(parts.joined(separator: " "))\"; write \(exclusion)")
        }
        guard !hasWords, parts.allSatisfy({ parses($0, parse) }) else { return error }
        return Refusal(
            isInList
                ? "several values in one; each has to be an entry of its own: \(flow)"
                : "several values in one; write a list: [\(flow)]")
    }

    /// What to write in place of a single value where a list is wanted.
    func listAdvice<Value>(_ exclusions: Exclusions, _ parse: (ScalarText) throws(Refusal) -> Value) -> String {
        if let exclusion = exclusion(exclusions, parse) { return "write a list: [\(exclusion)]" }
        guard !parts.isEmpty, !hasWords else { return "expected a list" }
        let refusals = parts.compactMap { refusal($0, parse) }
        if refusals.isEmpty { return "write a list: [\(flow)]" }
        return (["expected a list"] + refusals.prefix(3).map(\.message)).joined(separator: "; ")
    }

    /// What "not eth0" means: "!eth0".
    private func exclusion<Value>(_ exclusions: Exclusions, _ parse: (ScalarText) throws(Refusal) -> Value) -> String? {
        guard exclusions == .allowed, parts.count == 2, ["not", "no", "except"].contains(parts[0]), parses("!\(parts[1])", parse)
        else { return nil }
        return "\"!\(parts[1])\""
    }

    /// The values with commas between them.
    private var flow: String { parts.map(SeveralValues.flowScalar).joined(separator: ", ") }

    private func parses<Value>(_ part: String, _ parse: (ScalarText) throws(Refusal) -> Value) -> Bool {
        refusal(part, parse) == nil
    }

    private func refusal<Value>(_ part: String, _ parse: (ScalarText) throws(Refusal) -> Value) -> Refusal? {
        var part = part
        return part.withUTF8 { bytes in
            do throws(Refusal) {
                _ = try parse(ScalarText(bytes: bytes))
                return nil
            } catch {
                return error
            }
        }
    }

    /// The text as YAML takes it in a list in one line: in quotes where it needs them.
    private static func flowScalar(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isPlain ? text : "\"\(text)\""
    }
}
