// SPDX-License-Identifier: GPL-2.0-or-later
import CYAML

extension YAMLEvents {
    /// Why there was no next event, and where.
    ///
    /// - Parameters:
    ///   - exclusions: whether a value may begin with "!" there.
    ///   - before: the text with a colon in it that was read last.
    mutating func syntaxError(
        _ exclusions: Exclusions, after before: (text: String, place: Place)?
    ) -> (place: Place, message: String) {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "libyaml has no memory"
        let context = parser.pointee.context.map { String(cString: $0) } ?? ""
        let begin = parser.pointee.context_mark
        let isTag = ["while scanning a tag", "while parsing a tag"].contains(context)
        let mark = isTag ? begin : parser.pointee.problem_mark
        let place = Place(mark)
        let rest = bytes(from: mark).prefix { $0 != UInt8(ascii: "\n") }
        if isTag { return (place, exclusions.refusal(YAMLEvents.tagged(rest))) }
        // To YAML "2001:db8::" is a key.
        if problem == "mapping values are not allowed in this context", rest.first == UInt8(ascii: ":"), let before,
            before.place.line == place.line, Int(before.place.column) + before.text.unicodeScalars.count == Int(place.column)
        {
            return (before.place, "a value that begins or ends with a colon has to be in quotes: \"\(before.text):\"")
        }
        let message = YAMLEvents.message(problem, before: rest)
        let isOpen = message.contains("not closed") || message.contains("without a colon")
        return (place, isOpen && begin.line != mark.line ? "\(message); it begins in line \(begin.line + 1)" : message)
    }

    /// The error in words that help.
    ///
    /// - Parameter rest: the rest of the line from the error on.
    private static func message(_ problem: String, before rest: Slice<UnsafeBufferPointer<UInt8>>) -> String {
        switch problem {
        case "found character that cannot start any token", "found a tab character that violates indentation",
            "found a tab character where an indentation space is expected":
            if rest.first == UInt8(ascii: "\t") || problem.hasPrefix("found a tab") {
                return "a tab: YAML takes spaces alone before a value"
            }
            let character = String(decoding: rest.prefix(4), as: UTF8.self).unicodeScalars.prefix(1)
            return "a value that begins with \(String(character)) has to be in quotes"
        case "mapping values are not allowed in this context":
            return "a second key in one line; each key is in a line of its own, and those of an entry all in one column"
        case "did not find expected key", "did not find expected '-' indicator",
            "block sequence entries are not allowed in this context":
            return "wrong indentation; the keys of an entry are all in one column, and so are the dashes of a list"
        case "did not find expected ',' or ']'", "did not find expected ',' or '}'":
            if rest.first == UInt8(ascii: ":") { return colon(rest) }
            return problem.hasSuffix("']'")
                ? "a list that begins with [ is not closed with ]" : "a mapping that begins with { is not closed with }"
        case "found unexpected end of stream", "found unexpected document indicator": return "a quotation mark is not closed"
        case "could not find expected ':'": return "a key without a colon and a space after it"
        case "found unexpected ':'": return colon(rest)
        case "did not find expected <document start>": return "a second document; a file has one"
        case "did not find expected alphabetic or numeric character": return "a value that begins with * or & has to be in quotes"
        case "mapping keys are not allowed in this context": return "a value that begins with ? has to be in quotes"
        case "did not find expected node content":
            if rest.isEmpty { return "a list or a mapping is not closed, or its last value is missing" }
            if rest.first == UInt8(ascii: ":") { return colon(rest) }
            return "a value is missing"
        default: return "invalid YAML: \(problem)"
        }
    }

    /// The value that begins with "!": in brackets up to a comma, else the rest of the line.
    private static func tagged(_ rest: Slice<UnsafeBufferPointer<UInt8>>) -> String {
        let isInBrackets = rest.contains { "]}".utf8.contains($0) }
        var value = rest.prefix { !(isInBrackets ? " ,]}\r" : "#\r").utf8.contains($0) }
        while value.last == UInt8(ascii: " ") { value = value.dropLast() }
        return String(decoding: value, as: UTF8.self)
    }

    private static func colon(_ rest: Slice<UnsafeBufferPointer<UInt8>>) -> String {
        let value = String(decoding: rest.prefix { !" ,]}\r".utf8.contains($0) }, as: UTF8.self)
        return "a value that begins or ends with a colon has to be in quotes" + (value.utf8.count > 1 ? ": \"\(value)\"" : "")
    }
}
