/// Columns for people: aligned, and broken into several lines a row where the terminal is too narrow.
struct TextTable {
    /// What a column holds.
    enum Alignment { case left, right }

    /// A cell: parts that are joined by commas where there is room, and stand below one another where there is not.
    struct Cell: ExpressibleByStringLiteral {
        var parts: [String]

        init(_ parts: [String]) { self.parts = parts.isEmpty ? [""] : parts }
        init(_ text: String) { self.parts = [text] }
        init(stringLiteral text: String) { self.init(text) }

        var widest: Int { parts.map(\.count).max() ?? 0 }
        var joinedWidth: Int { parts.reduce(parts.count - 1) { $0 + $1.count } }

        /// The parts in lines of at most `width` characters; a part that is longer stands alone.
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

    private let titles: [String]
    private let alignments: [Alignment]
    private var rows: [[Cell]] = []

    /// A table with these columns.
    init(_ columns: [(title: String, alignment: Alignment)]) {
        titles = columns.map(\.title)
        alignments = columns.map(\.alignment)
    }

    /// Adds a row; it has a cell for each column.
    mutating func add(_ row: [Cell]) {
        precondition(row.count == titles.count)
        rows.append(row)
    }

    private static let gap = 2

    /// The lines of the table: the titles, then the rows. `columns` is the terminal's width; nil for no limit.
    func lines(columns: Int?, _ style: Style) -> [String] {
        let widths = widths(columns)
        var lines = [style.bold(line(titles, widths))]
        for row in rows {
            let cells = zip(row, widths).map { $0.lines($1) }
            for index in 0..<(cells.map(\.count).max() ?? 0) {
                lines.append(line(cells.map { index < $0.count ? $0[index] : "" }, widths))
            }
        }
        return lines
    }

    /// How wide each column is: as wide as its widest cell if all fit, else the widest ones give way, down to their longest part.
    private func widths(_ columns: Int?) -> [Int] {
        var widths = titles.map(\.count)
        var least = widths
        for row in rows {
            for (index, cell) in row.enumerated() {
                widths[index] = max(widths[index], cell.joinedWidth)
                least[index] = max(least[index], cell.widest)
            }
        }
        guard let columns else { return widths }
        var excess = widths.reduce(TextTable.gap * (widths.count - 1), +) - columns
        while excess > 0 {
            let flexible = widths.indices.filter { widths[$0] > least[$0] }
            guard let widest = flexible.max(by: { widths[$0] < widths[$1] }) else { break }
            // The widest gives way down to the next in width, or as far as is needed.
            let next = flexible.filter { $0 != widest }.map { widths[$0] }.max() ?? 0
            let target = max(least[widest], min(next, widths[widest] - 1), widths[widest] - excess)
            excess -= widths[widest] - target
            widths[widest] = target
        }
        return widths
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: max(0, widths[index] - cell.count))
            if index > 0 { line += String(repeating: " ", count: TextTable.gap) }
            line += alignments[index] == .left ? cell + padding : padding + cell
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}
