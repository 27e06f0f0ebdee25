// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// A place in the file that is being read. Smaller than a `SourcePosition`, which is made of it when an error is reported.
struct Place: Sendable, Hashable {
    /// Both counted from 1; columns in characters.
    var line: Int32
    var column: Int32

    init(line: some BinaryInteger, column: some BinaryInteger) {
        self.line = Int32(clamping: line)
        self.column = Int32(clamping: column)
    }

    static let start = Place(line: 1, column: 1)
}

/// Errors as they are found, with the way to the value that is being read.
struct ErrorList {
    /// One step of the way from the file's root to a value.
    enum Step {
        case key(StaticString)
        case index(Int)
    }

    /// How many errors are kept; a file that is no configuration at all has one in every line.
    static let limit = 1000

    /// The file that is being read.
    var file = ""
    /// The way to the value that is being read.
    var path: [Step] = []
    private var kept: [FileError] = []
    /// How many there are, those included that are not kept.
    private(set) var count = 0

    init() { path.reserveCapacity(8) }

    /// Whether no more are kept.
    var isFull: Bool { kept.count >= ErrorList.limit }

    /// Notes an error of the value that is being read. Its text is made only if it is kept.
    mutating func add(_ place: Place, _ message: @autoclosure () -> String) {
        if counts() { keep(position(place), path: pathText, message()) }
    }

    /// Notes an error of another value of the same file.
    mutating func add(_ place: Place, path: String, _ message: @autoclosure () -> String) {
        if counts() { keep(position(place), path: path, message()) }
    }

    /// Counts one more error.
    ///
    /// - Returns: whether it is to be kept, by `keep`.
    mutating func counts() -> Bool {
        count += 1
        return !isFull
    }

    /// Keeps an error that was counted.
    mutating func keep(_ position: SourcePosition, path: String, _ message: String) {
        kept.append(
            FileError(
                file: position.file, line: position.line, column: position.column, path: path.onOneLine, message: message.onOneLine)
        )
    }

    /// Keeps that many errors and takes back the others.
    mutating func truncate(to count: Int) {
        kept.removeLast(max(0, kept.count - count))
        self.count = min(self.count, count)
    }

    func position(_ place: Place) -> SourcePosition {
        SourcePosition(file: file, line: Int(place.line), column: Int(place.column))
    }

    var pathText: String {
        var text = ""
        for step in path {
            switch step {
            case .key(let key): text += text.isEmpty ? "\(key)" : ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
        return text
    }

    /// The errors in the order of files and lines; nil if there are none.
    func sorted(_ files: [String]) -> ConfigurationErrors? {
        guard count > 0 else { return nil }
        // Errors have the names as they are printed.
        let order = Dictionary(zip(files.map { printable($0) }, files.indices), uniquingKeysWith: { first, _ in first })
        let sorted = kept.enumerated().sorted { left, right in
            let (l, r) = (left.element, right.element)
            return (order[l.file] ?? files.count, l.line, l.column, left.offset)
                < (order[r.file] ?? files.count, r.line, r.column, right.offset)
        }
        return ConfigurationErrors(sorted.map(\.element), count: count)
    }
}

extension String {
    /// The text as a terminal can show it in one line, the middle of a long one left out. An error quotes what is in the file, and
    /// that may be anything.
    var onOneLine: String {
        let limit = 300
        guard utf8.count > limit else { return printable(self) }
        var scalars = Array(unicodeScalars)
        if scalars.count > limit { scalars.replaceSubrange(limit / 2..<scalars.count - limit / 2, with: ["…"]) }
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars)
        return printable(text)
    }
}
