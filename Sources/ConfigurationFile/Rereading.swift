// SPDX-License-Identifier: GPL-2.0-or-later
/// Files that are read again after a few entries of one have changed: these are read, and all others are known.
///
/// The part that is read goes from the last entry that begins before the first changed line to the first one that begins after the
/// last. That it can be read by itself is proven as for an `EntryCut`: before it the text is the one that was read, and after it as
/// well, from the dash of an entry on; in between the part has to be free of errors and to end with the list still open.
struct Rereading {
    private let known: LoadedConfiguration
    /// The file that has changed.
    private let file: Int
    private let (old, new): (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>)

    /// The draft of the files, as reading all of them would make it; nil where they have to be read: more than some entries of one
    /// list has changed, or there are errors.
    static func draft(of texts: [ConfigurationText], knowing known: LoadedConfiguration) -> ConfigurationDraft? {
        guard texts.map(\.path) == known.files.map(\.path), known.lists.count == texts.count else { return nil }
        let changed = texts.indices.filter { texts[$0].bytes != known.files[$0].bytes }
        guard changed.count < 2 else { return nil }
        guard let file = changed.first else {
            // What is between the entries of files that were right is right.
            return ConfigurationDraft(known)
        }
        var errors = ErrorList()
        let isASCII = texts[file].check(&errors)
        guard errors.count == 0 else { return nil }
        return texts[file].bytes.withUnsafeBufferPointer { new in
            known.files[file].bytes.withUnsafeBufferPointer { old in
                Rereading(known: known, file: file, old: old, new: new).draft(isASCII: isASCII)
            }
        }
    }

    private func draft(isASCII: Bool) -> ConfigurationDraft? {
        let (lines, oldLines) = (TextLines(bytes: new), TextLines(bytes: old))
        let same = sameEnds()
        let changed = lines.start(before: same.head)
        let linesBefore = lines.count(0..<changed)
        var draft = ConfigurationDraft(known)
        // Everything before the line that differs is as it was.
        guard let first = draft.last(in: file, before: linesBefore + 1) else { return nil }
        var start = changed
        for _ in 0..<(linesBefore + 1 - Int(first.place.line)) { start = lines.start(before: start - 1) }
        guard let list = known.lists[file].first(where: { $0.section == first.section }), let column = list.column,
            lines.dash(at: start) == column
        else { return nil }
        // So is everything from the first line on that begins in what is the same at the end.
        var oldEnd = old.count
        let oldChanged = linesBefore + oldLines.count(changed..<old.count - same.tail)
        let next = draft.first(in: file, of: first.section, after: oldChanged + 1)
        if let next {
            oldEnd = oldLines.start(before: old.count - same.tail)
            for _ in 0..<(Int(next.place.line) - 1 - oldChanged) { oldEnd = oldLines.next(after: oldEnd) ?? old.count }
            guard oldEnd < old.count, oldLines.dash(at: oldEnd) == column else { return nil }
        } else if known.lists[file].last?.section != first.section {
            return nil
        }
        let end = oldEnd + new.count - old.count
        guard start < end else { return nil }
        var begun = ConfigurationDraft()
        (begun.files, begun.lists) = (Array(draft.files[...file]), [[]])
        let text = list.section.text(of: new[start..<end])
        // The key of the section is in a line of its own.
        let firstLine = Int(first.place.line) - 2
        let part = text.withUnsafeBufferPointer { FilePart($0, isASCII: isASCII, firstLine: firstLine, begun) }
        guard let part, part.hasOnly(list.section), next == nil || part.ends(in: list.section, column) else { return nil }
        draft.replace(first, until: next, in: file, by: part, lines.count(start..<end) - oldLines.count(start..<oldEnd))
        draft.noteNames()
        draft.check()
        return draft.errors.count == 0 ? draft : nil
    }

    /// How many bytes are the same at the beginning and, of the rest, at the end.
    private func sameEnds() -> (head: Int, tail: Int) {
        let shorter = min(old.count, new.count)
        var head = 0
        while head < shorter, old[head] == new[head] { head += 1 }
        var tail = 0
        while tail < shorter - head, old[old.count - 1 - tail] == new[new.count - 1 - tail] { tail += 1 }
        return (head, tail)
    }
}
