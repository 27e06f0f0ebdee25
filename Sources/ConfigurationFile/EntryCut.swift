// SPDX-License-Identifier: GPL-2.0-or-later
/// A place in the middle of a large file, before the dash of an entry, at which the file can be read as two texts side by side.
///
///     ftp:                               head: a text of its own, which ends in the list of ftp
///       - {name: a, …}
///       - {name: b, …}
///     ftp:                               tail: the same key, and what follows
///       - {name: c, …}                   <- here
///     masquerade:
///       - {name: d, …}
///
/// Where the cut is is guessed from how lines begin. That it is one is proven by reading the head: when it is free of errors and ends
/// with the section's list still open, in the column of this dash, then at this dash the parser of the whole text expects the next
/// entry, whatever came before: an open quotation mark or bracket would have been an error at the head's end, and a text that goes on
/// over several lines has to be indented deeper than the dash.
struct EntryCut {
    /// From how many bytes on it is worth a thread.
    static let leastSize = 1 << 16

    /// The section whose list is cut.
    let section: ConfigurationDraft.Section
    /// The column of the list's dashes, counted from 1.
    let column: Int
    /// The first byte of the line that begins the tail.
    let byte: Int

    /// The first cut after a byte of the text, which is in the list of a section; nil where none is found.
    init?(_ bytes: UnsafeBufferPointer<UInt8>, after byte: Int) {
        let lines = TextLines(bytes: bytes)
        // The last line up to there that begins with neither a space nor a comment nor a dash begins the section.
        var header = lines.start(before: byte)
        while lines.isWithin(header) { header = lines.start(before: header - 1) }
        guard let section = ConfigurationDraft.Section.allCases.first(where: { lines.isKey($0.rawValue, at: header) })
        else { return nil }
        var entry = lines.next(after: header)
        while let start = entry, lines.isWithin(start), lines.dash(at: start) == nil { entry = lines.next(after: start) }
        guard let first = entry, let column = lines.dash(at: first) else { return nil }
        var next = lines.next(after: max(first, byte))
        while let start = next, lines.isWithin(start), lines.dash(at: start) != column { next = lines.next(after: start) }
        guard let start = next, lines.dash(at: start) == column else { return nil }
        self.section = section
        self.column = column
        self.byte = start
    }

}

extension ConfigurationDraft.Section {
    /// Some of the section's entries as a text of its own, with the key of the section in a line before them.
    func text(of entries: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(entries.count + 16)
        text += "\(rawValue):\n".utf8
        text += entries
        return text
    }
}
