// SPDX-License-Identifier: GPL-2.0-or-later
package import FoundationEssentials

/// The JSON of the sockets: keys in camel case and in a fixed order, times as RFC 3339 in UTC with milliseconds.
package enum JSON {
    private static let timeStyle = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// The message as one line of JSON, without a line feed at its end.
    package static func encode(_ message: some Encodable) -> [UInt8] { encode(message, []) }

    /// The message as JSON for people: one member a line.
    package static func encodePretty(_ message: some Encodable) -> [UInt8] { encode(message, [.prettyPrinted]) }

    /// The message in the JSON.
    ///
    /// - Throws: `DecodingError` when the JSON is none or lacks a member.
    package static func decode<Message: Decodable>(_ type: Message.Type, from bytes: [UInt8]) throws -> Message {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let text = try decoder.singleValueContainer().decode(String.self)
            return try timeStyle.parse(text)
        }
        return try decoder.decode(type, from: Data(bytes))
    }

    /// The time as the messages write it: `2026-11-25T12:00:00.123Z`.
    package static func text(_ time: Date) -> String { timeStyle.format(time) }

    private static func encode(_ message: some Encodable, _ formatting: JSONEncoder.OutputFormatting) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        encoder.dateEncodingStrategy = .custom { time, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(timeStyle.format(time))
        }
        do {
            return escaped(Array(try encoder.encode(message)))
        } catch {
            // Messages consist of strings, whole numbers and finite fractions, none of which JSON lacks words for.
            preconditionFailure("invalid JSON: \(error)")
        }
    }

    /// The JSON with its invisible characters as `\u202e`: the encoder escapes those below 0x20 alone, and a terminal obeys others.
    private static func escaped(_ json: [UInt8]) -> [UInt8] {
        guard json.contains(where: { $0 >= 0x7f }) else { return json }
        var result = String.UnicodeScalarView()
        for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
            guard scalar.value >= 0x7f, isInvisible(scalar) else {
                result.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                result.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
            }
        }
        return Array(String(result).utf8)
    }

    /// The JSON for people: what is in its strings is printable, `\n` being shown as those two characters. Whatever a message holds
    /// cannot reach the terminal as a line break or an escape sequence then.
    package static func printableStrings(_ json: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(json.count)
        var rest = escaped(json)[...]
        while let byte = rest.popFirst() {
            result.append(byte)
            guard byte == UInt8(ascii: "\\"), let next = rest.popFirst() else { continue }
            switch next {
            case UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "u"):
                // A visible character may be written as its number.
                let value = next == UInt8(ascii: "u") ? UInt32(String(decoding: rest.prefix(4), as: UTF8.self), radix: 16) : 0
                let isSurrogate = value.map { (0xd800...0xdfff).contains($0) } ?? false
                let isVisible = value.flatMap(Unicode.Scalar.init).map { $0.value >= 0x20 && !isInvisible($0) } ?? isSurrogate
                if !isVisible { result.append(UInt8(ascii: "\\")) }
            default: break
            }
            result.append(next)
        }
        return result
    }

    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        default: false
        }
    }
}
