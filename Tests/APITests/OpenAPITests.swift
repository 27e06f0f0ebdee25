// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import Testing

@Suite("The description of the API")
struct OpenAPITests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
    private static let messages: [any (Decodable & Sendable).Type] = [
        Status.self, RuleList.self, Explanation.self, Event.self, Reconciliation.self, Problem.self,
    ]

    private func document() throws -> [String: Any] {
        let data = try Data(contentsOf: Self.root.appending(path: "Sources/fwmarkd/Resources/openapi.json"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test("A message has the members that the description says, of the same types", arguments: messages.indices)
    func members(_ index: Int) throws {
        let components = try #require(try document()["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: Any])
        func described(_ value: Any?) throws -> Schema {
            let schema = try #require(value as? [String: Any])
            if let reference = schema["$ref"] as? String {
                return try described(schemas[String(reference.split(separator: "/").last ?? "")])
            }
            if let values = schema["enum"] as? [String] { return .values(values) }
            switch schema["type"] as? String {
            case "string": return schema["format"] as? String == "date-time" ? .date : .string
            case "boolean": return .boolean
            case "number": return .number
            case "integer": return .integer
            case "array": return .array(try described(schema["items"]))
            default:
                let required = try #require(schema["required"] as? [String])
                let properties = try #require(schema["properties"] as? [String: Any])
                return .object(
                    try Dictionary(
                        uniqueKeysWithValues: properties.map { name, value in
                            let property = try #require(value as? [String: Any])
                            #expect((property["description"] as? String)?.isEmpty == false, "\(name) has no description")
                            return (name, Schema.Member(schema: try described(value), isRequired: required.contains(name)))
                        }))
            }
        }
        let type = Self.messages[index]
        func schema<Message: Decodable>(_ type: Message.Type) throws -> Schema { try Schema.of(type).schema }
        #expect(try schema(type) == described(schemas["\(type)"]))
    }

    @Test("Every path of the API is described")
    func paths() throws {
        let paths = try #require(try document()["paths"] as? [String: Any])
        let endpoints = [
            Endpoint.status, Endpoint.rules, Endpoint.explain, Endpoint.events, Endpoint.description, Endpoint.metrics,
            Endpoint.reload, Endpoint.reconcile,
        ]
        #expect(Set(paths.keys) == Set(endpoints))
    }
}
