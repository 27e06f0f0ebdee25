// SPDX-License-Identifier: GPL-2.0-or-later
/// Columns for people: aligned, broken into several lines a row where the terminal is too narrow, and the least important ones left
/// out where that is not enough.
struct TextTable {
    /// What a column holds.
    enum Alignment { case left, right }

    /// A column.
    struct Column {
        var title: String
        var alignment: Alignment
        /// Columns of less importance are left out first; nil: it is never left out.
        var importance: Int?

        init(_ title: String, _ alignment: Alignment = .left, importance: Int? = nil) {
            (self.title, self.alignment, self.importance) = (title, alignment, importance)
        }
    }

    /// A cell: parts that are joined by commas where there is room, and are below one another where there is not.
    struct Cell: ExpressibleByStringLiteral {
        var parts: [String]

        init(_ parts: [String]) { self.parts = parts.isEmpty ? [""] : parts }
        init(_ text: String) { self.parts = [text] }
        init(stringLiteral text: String) { self.init(text) }

        var widest: Int { parts.map(\.count).max() ?? 0 }
        var joinedWidth: Int { parts.reduce(parts.count - 1) { $0 + $1.count } }

        /// The parts in lines of at most `width` characters; a part that is longer has a line of its own.
        func lines(_ width: Int) -> [String] {
            var lines: [String] = []
            for part in parts {
                if let last = lines.last, last.count + 1 + part.count <= width {
                    lines[lines.count - 1] = last + "," + part
                } else {
                    lines.append(part)
                }
            }
            return lines
        }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []

    /// A table with these columns.
    init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row; it has a cell for each column.
    mutating func add(_ row: [Cell]) {
        precondition(row.count == columns.count)
        rows.append(row)
    }

    private static let gap = 2

    /// The lines of the table: the titles, then the rows. `width` is the terminal's; nil for no limit.
    func lines(columns width: Int?, _ style: Style) -> [String] {
        let shown = width.map(columnsThatFit) ?? Array(columns.indices)
        let widths = widths(shown, width)
        var lines = [style.bold(line(shown.map { columns[$0].title }, shown, widths))]
        for row in rows {
            let cells = zip(shown, widths).map { row[$0].lines($1) }
            for index in 0..<(cells.map(\.count).max() ?? 0) {
                lines.append(line(cells.map { index < $0.count ? $0[index] : "" }, shown, widths))
            }
        }
        return lines
    }

    /// The columns that fit side by side, each as narrow as its longest part. One that is never left out does not drive out the others
    /// by a long name: that is cut.
    private func columnsThatFit(_ width: Int) -> [Int] {
        let least = columns.indices.map { column in
            let widest = rows.reduce(columns[column].title.count) { max($0, $1[column].widest) }
            return columns[column].importance == nil ? min(widest, TextTable.nameWidth) : widest
        }
        var shown = Array(columns.indices)
        func needed() -> Int { shown.reduce(TextTable.gap * (shown.count - 1)) { $0 + least[$1] } }
        while needed() > width {
            let candidates = shown.filter { columns[$0].importance != nil }
            guard let next = candidates.min(by: { columns[$0].importance ?? 0 < columns[$1].importance ?? 0 }) else { break }
            shown.removeAll { $0 == next }
        }
        return shown
    }

    /// How wide each shown column is: as wide as its widest cell if all fit, else the widest ones give way, down to their longest
    /// part, and at last even that is cut.
    private func widths(_ shown: [Int], _ width: Int?) -> [Int] {
        var widths = shown.map { column in rows.reduce(columns[column].title.count) { max($0, $1[column].joinedWidth) } }
        guard let width else { return widths }
        var least = shown.map { column in rows.reduce(columns[column].title.count) { max($0, $1[column].widest) } }
        var excess = widths.reduce(TextTable.gap * (widths.count - 1), +) - width
        while excess > 0 {
            var flexible = widths.indices.filter { widths[$0] > least[$0] }
            if flexible.isEmpty {
                least = widths.map { min($0, TextTable.narrowest) }
                flexible = widths.indices.filter { widths[$0] > least[$0] }
            }
            guard let widest = flexible.max(by: { widths[$0] < widths[$1] }) else { break }
            // The widest gives way down to the next in width, or as far as is needed.
            let next = flexible.filter { $0 != widest }.map { widths[$0] }.max() ?? 0
            let target = max(least[widest], min(next, widths[widest] - 1), widths[widest] - excess)
            excess -= widths[widest] - target
            widths[widest] = target
        }
        return widths
    }

    /// No column is cut to less than this.
    private static let narrowest = 8
    /// A longer name is cut before another column is left out.
    private static let nameWidth = 16

    private func line(_ cells: [String], _ shown: [Int], _ widths: [Int]) -> String {
        var line = ""
        for (index, whole) in cells.enumerated() {
            let cell = whole.count > widths[index] ? whole.prefix(max(0, widths[index] - 1)) + "…" : whole
            let padding = String(repeating: " ", count: max(0, widths[index] - cell.count))
            if index > 0 { line += String(repeating: " ", count: TextTable.gap) }
            line += columns[shown[index]].alignment == .left ? cell + padding : padding + cell
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}
