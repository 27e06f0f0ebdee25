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
            return Array(try encoder.encode(message))
        } catch {
            // Messages consist of strings, whole numbers and finite fractions, none of which JSON lacks words for.
            preconditionFailure("a message that is no JSON: \(error)")
        }
    }
}
