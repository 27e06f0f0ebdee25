// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Why a text is not a value of the wanted type.
struct Refusal: Error {
    let message: String
    /// Whether it is not to be explained in another way.
    var isFinal = false

    init(_ message: String, isFinal: Bool = false) { (self.message, self.isFinal) = (message, isFinal) }
}

/// Passes on what a type's own parser says.
func refusing<Value>(_ body: () throws(InvalidValue) -> Value) throws(Refusal) -> Value {
    do {
        return try body()
    } catch {
        throw Refusal(error.description)
    }
}

extension ConfigurationDecoder {
    // MARK: - Single values

    /// Reads a single value.
    mutating func value<Value>(
        exclusions: Exclusions = .none, _ parse: (ScalarText) throws(Refusal) -> Value
    ) -> Value? {
        guard events.kind == .scalar, !events.isNull else {
            if events.kind == .scalar, refuses(exclusions) { return nil }
            // To YAML "2001:db8::" is a mapping.
            let hint = events.kind == .mappingStart ? "; a value that ends in a colon has to be in quotes" : ""
            noteKind("expected a single value\(hint)")
            skip()
            return nil
        }
        guard !refuses(exclusions) else { return nil }
        do {
            return try parse(events.scalar)
        } catch {
            draft.errors.add(events.place, error.message)
            return nil
        }
    }

    /// Reads a name, and notes it as one, unless the section is nil.
    mutating func name(_ section: ConfigurationDraft.Section?, _ index: Int, translates: Bool) -> String? {
        let name = value { (text) throws(Refusal) in
            guard EntryName.isPlain(text.bytes), (1...EntryName.limit).contains(text.bytes.count) else {
                throw Refusal("invalid name \"\(text.string)\": a name is 1 to 64 letters, digits, '.', '_' and '-'")
            }
            return text.string
        }
        if let name, let section {
            draft.names.append(
                .init(text: name, section: section, translates: translates, entry: draft.entry(events.place, index)))
        }
        return name
    }

    mutating func mark() -> Mark? {
        value { (text) throws(Refusal) in
            if let mark = text.mark { return mark }
            return try refusing { () throws(InvalidValue) in try Mark(parsing: text.string) }
        }
    }

    mutating func flag() -> Bool? {
        value { (text) throws(Refusal) in
            if text == "true" { return true }
            if text == "false" { return false }
            throw Refusal("invalid value \"\(text.string)\": it is true or false")
        }
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>() -> Choice? where Choice.RawValue == String {
        value { (text) throws(Refusal) in
            guard let choice = Choice(rawValue: text.string) else {
                let meant = Choice(rawValue: text.string.lowercased()).map { "; write \($0.rawValue)" } ?? ""
                throw Refusal(
                    "invalid value \"\(text.string)\": it is \(Choice.allCases.map(\.rawValue).joined(separator: " or "))\(meant)")
            }
            return choice
        }
    }

    /// A duration between two others, which are written as the file would write them.
    mutating func duration(from shortest: String, to longest: String) -> Duration? {
        func parse(_ text: String) -> Duration? {
            let digits = text.prefix { $0.isASCII && $0.isNumber }
            let units: KeyValuePairs<Substring, Int64> = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]
            guard let number = Int64(digits), number < 1_000_000_000, digits == "0" || digits.first != "0",
                let unit = units.first(where: { $0.key == text[digits.endIndex...] })?.value
            else { return nil }
            return .milliseconds(number * unit)
        }
        return value { (text) throws(Refusal) in
            guard let duration = parse(text.string) else {
                throw Refusal("invalid duration \"\(text.string)\": a number and ms, s, m or h, from \(shortest) to \(longest)")
            }
            guard let first = parse(shortest), let last = parse(longest), (first...last).contains(duration) else {
                throw Refusal("\"\(text.string)\" is out of range: from \(shortest) to \(longest)")
            }
            return duration
        }
    }

    // MARK: - Ports

    /// Ports and ranges of a protocol, or `any`. Empty after an error.
    mutating func ports() -> [PortRange] {
        if events.kind == .scalar, events.scalar == "any", !refuses() { return ConfigurationDecoder.everyPort }
        var ranges: [PortRange] = []
        let every = "write any, alone and without a list"
        elements { (text) throws(Refusal) in
            if let range = text.ports { return range }
            throw ValueText.explain(ports: text.string, every: every)
        } _: { range, _, _ in
            ranges.append(range)
        }
        return ranges.contains { $0 == .all || $0 == PortRange(1, 65535) } ? ConfigurationDecoder.everyPort : ranges
    }

    private static let everyPort = [PortRange.all]

    /// A port or a range; every port there is as `.all`, which needs no match.
    mutating func passivePorts() -> PortRange? {
        let range = value { (text) throws(Refusal) in
            if let range = text.ports { return range }
            throw ValueText.explain(ports: text.string, every: "write 1-65535")
        }
        return range == PortRange(1, 65535) ? .all : range
    }

    /// One port or a list of them. Empty after an error.
    mutating func singlePorts() -> [UInt16] {
        var ports: [UInt16] = []
        elements(orOne: true) { (text) throws(Refusal) in
            guard let range = text.ports else { throw ValueText.explain(ports: text.string, every: "it is single ports here") }
            if range.lower == range.upper { return range.lower }
            throw Refusal("\(range) is a range; it is single ports here")
        } _: { port, _, _ in
            ports.append(port)
        }
        return ports
    }
}
