// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// Measurements of one thing; in milliseconds where nothing else is said.
struct Samples {
    private var values: [Double] = []

    init(_ values: [Double] = []) { self.values = values }

    mutating func add(_ value: Double) { values.append(value) }

    var count: Int { values.count }
    var isEmpty: Bool { values.isEmpty }
    var minimum: Double { values.min() ?? .nan }
    var maximum: Double { values.max() ?? .nan }
    var median: Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// `12.3 ms (11.9–14.0)`
    var text: String { text("ms") }

    func text(_ unit: String) -> String {
        isEmpty ? "—" : "\(significant(median)) \(unit) (\(significant(minimum))–\(significant(maximum)))"
    }

    static func + (left: Samples, right: Samples) -> Samples { Samples(zip(left.values, right.values).map { $0 + $1 }) }
    static func - (left: Samples, right: Samples) -> Samples { Samples(zip(left.values, right.values).map { $0 - $1 }) }
    static func * (left: Samples, right: Double) -> Samples { Samples(left.values.map { $0 * right }) }
}

/// The number with three significant digits, at least.
func significant(_ value: Double) -> String {
    guard value.isFinite else { return "—" }
    let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 3
    let scale = [1.0, 10, 100, 1000][digits]
    let rounded = Int((value * scale).rounded())
    guard digits > 0 else { return "\(rounded)" }
    let (sign, absolute) = (rounded < 0 ? "-" : "", abs(rounded))
    let fraction = "\(absolute % Int(scale))"
    return "\(sign)\(absolute / Int(scale)).\(String(repeating: "0", count: digits - fraction.utf8.count))\(fraction)"
}

/// A table of text in Markdown.
struct TextTable {
    private var rows: [[String]]

    init(_ head: String...) { rows = [head] }

    mutating func add(_ row: [String]) { rows.append(row) }

    func print() {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        func line(_ row: [String]) -> String {
            "| " + zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: " | ") + " |"
        }
        Swift.print(line(rows[0]))
        Swift.print("|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|")
        for row in rows.dropFirst() { Swift.print(line(row)) }
        Swift.print()
        // Tables appear as they are made, into a pipe as well.
        fflush(nil)
    }
}
