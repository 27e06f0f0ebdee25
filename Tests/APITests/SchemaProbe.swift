// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Rules

/// The shape of a message, as its own decoder asks for it.
indirect enum Schema: Equatable {
    case string, boolean, number, integer, date
    case values([String])
    case array(Schema)
    case object([String: Member])

    struct Member: Equatable {
        var schema: Schema
        var isRequired: Bool
    }

    /// The shape of the type: what it asks a decoder for.
    static func of<Message: Decodable>(_ type: Message.Type) throws -> (schema: Schema, example: Message) {
        func simple(_ schema: Schema, _ value: Any) throws -> (Schema, Message) {
            guard let value = value as? Message else { throw Unknown(type: "\(type)") }
            return (schema, value)
        }
        switch type {
        case is String.Type: return try simple(.string, "")
        case is Address.Type: return try simple(.string, Address(ipv4: 0))
        case is Bool.Type: return try simple(.boolean, false)
        case is Double.Type: return try simple(.number, 0.0)
        case is Date.Type: return try simple(.date, Date())
        case let integer as any FixedWidthInteger.Type: return try simple(.integer, integer.init(0))
        case let cases as any CaseIterable.Type: return try simple(.values(rawValues(cases)), firstCase(cases))
        default:
            let probe = SchemaProbe()
            let example = try Message(from: probe)
            guard let schema = probe.recorder.schema else { throw Unknown(type: "\(type)") }
            return (schema, example)
        }
    }

    struct Unknown: Error { var type: String }

    private static func rawValues<Cases: CaseIterable>(_ type: Cases.Type) -> [String] {
        type.allCases.map { ($0 as? any RawRepresentable)?.rawValue as? String ?? "?" }
    }

    private static func firstCase<Cases: CaseIterable>(_ type: Cases.Type) -> Any { type.allCases.first as Any }
}

/// A decoder that has no message, and notes what is asked for.
struct SchemaProbe: Decoder {
    final class Recorder { var schema: Schema? }

    let recorder = Recorder()
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        recorder.schema = .object([:])
        return KeyedDecodingContainer(Members<Key>(recorder: recorder))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { Elements(recorder: recorder) }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw Schema.Unknown(type: "single value") }

    private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let recorder: Recorder
        var codingPath: [any CodingKey] { [] }
        var allKeys: [Key] { [] }

        func contains(_ key: Key) -> Bool { true }
        func decodeNil(forKey key: Key) throws -> Bool { false }

        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            let (schema, example) = try Schema.of(type)
            note(key, schema, isRequired: true)
            return example
        }

        func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
            note(key, try Schema.of(type).schema, isRequired: false)
            return nil
        }

        // What synthesized decoders call for the simple types.
        func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try optional(type, key) }
        func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try optional(type, key) }
        func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { try optional(type, key) }
        func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try optional(type, key) }
        func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? { try optional(type, key) }
        func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? { try optional(type, key) }
        func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? { try optional(type, key) }
        func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? { try optional(type, key) }

        private func optional<Value: Decodable>(_ type: Value.Type, _ key: Key) throws -> Value? {
            note(key, try Schema.of(type).schema, isRequired: false)
            return nil
        }

        private func note(_ key: Key, _ schema: Schema, isRequired: Bool) {
            guard case .object(var members) = recorder.schema else { return }
            members[key.stringValue] = Schema.Member(schema: schema, isRequired: isRequired)
            recorder.schema = .object(members)
        }

        func nestedContainer<Nested: CodingKey>(keyedBy: Nested.Type, forKey: Key) throws -> KeyedDecodingContainer<Nested> {
            throw Schema.Unknown(type: "nested")
        }
        func nestedUnkeyedContainer(forKey: Key) throws -> any UnkeyedDecodingContainer { throw Schema.Unknown(type: "nested") }
        func superDecoder() throws -> any Decoder { throw Schema.Unknown(type: "super") }
        func superDecoder(forKey: Key) throws -> any Decoder { throw Schema.Unknown(type: "super") }
    }

    private struct Elements: UnkeyedDecodingContainer {
        let recorder: Recorder
        var codingPath: [any CodingKey] { [] }
        var count: Int? { 1 }
        var currentIndex = 0
        var isAtEnd: Bool { currentIndex > 0 }

        init(recorder: Recorder) { self.recorder = recorder }

        mutating func decodeNil() throws -> Bool { false }
        mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
            let (schema, example) = try Schema.of(type)
            recorder.schema = .array(schema)
            currentIndex += 1
            return example
        }

        mutating func nestedContainer<Nested: CodingKey>(keyedBy: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
            throw Schema.Unknown(type: "nested")
        }
        mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw Schema.Unknown(type: "nested") }
        mutating func superDecoder() throws -> any Decoder { throw Schema.Unknown(type: "super") }
    }
}
