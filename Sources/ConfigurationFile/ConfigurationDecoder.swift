// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// The words of a mapping, in the order of the enumeration's cases.
protocol Word: RawRepresentable<Int>, Sendable {
    static var words: [StaticString] { get }
}

extension Word {
    /// The word as the file has it.
    var text: StaticString { Self.words[rawValue] }
}

/// Whether values may begin with "!".
enum Exclusions {
    /// In lists where that means "everything but".
    case allowed
    /// In other lists.
    case refused
    /// Where there is one value, and nobody would mean that.
    case none

    /// What is said of a "!" without quotes.
    func refusal(_ value: String) -> String {
        self == .allowed
            ? "a value that begins with ! has to be in quotes: \"\(value)\"" : "\"\(value)\": nothing can be excluded here"
    }
}

/// libyaml's events as a configuration, without anything between them. Everything that is wrong is noted, and reading goes on.
///
/// Each function that reads a value begins at the value's first event and leaves the last one the current event.
struct ConfigurationDecoder: ~Copyable {
    /// How deep lists and mappings may be in one another.
    static let maximumDepth = 16

    /// What all files say so far.
    var draft: ConfigurationDraft
    var events: YAMLEvents
    /// The list of entries that was read last.
    var lastList: EntryList?
    /// The sections that were there, once all have been read.
    private(set) var sectionsFound: Words<SectionWord>?
    /// Whether the document goes on to the end of the text.
    private(set) var isOpen = false
    private var depth = 0
    /// How many errors there were before the current event.
    private var valueErrors = 0

    /// Reads one file, adding to what earlier files said.
    static func decode(_ text: ConfigurationText, into begun: consuming ConfigurationDraft) -> ConfigurationDraft {
        var draft = begun
        draft.errors.file = text.path
        draft.errors.path.removeAll(keepingCapacity: true)
        let before = draft.errors.count
        let isASCII = text.check(&draft.errors)
        guard draft.errors.count == before else { return draft }
        return text.bytes.withUnsafeBufferPointer { bytes in
            if bytes.count >= EntryCut.leastSize, before == 0, let cut = EntryCut(bytes, after: bytes.count / 2),
                let both = decodeInTwo(text, at: cut, isASCII: isASCII, draft)
            {
                return both
            }
            // The bytes outlive the decoder, which ends with this closure.
            var decoder = ConfigurationDecoder(draft, YAMLEvents(bytes, isASCII: isASCII, firstLine: 0))
            decoder.document()
            return decoder.draft
        }
    }

    init(_ draft: ConfigurationDraft, _ events: consuming YAMLEvents) {
        self.draft = draft
        self.events = events
    }

    mutating func document() {
        // The stream's start, then the document's; a file of comments alone has none.
        guard next(), next(), events.kind == .documentStart, next() else { return }
        sectionsFound = sections()
        guard next() else { return }
        isOpen = events.kind == .documentEnd && events.isEndOfText
        guard next() else { return }
        if events.kind != .streamEnd { end("a second document; a file has one") }
    }

    // MARK: - Events

    /// Goes on to the next event.
    ///
    /// - Returns: false when nothing more can be read; a syntax error is noted then.
    mutating func next() -> Bool {
        guard !events.hasEnded else { return false }
        let (plain, isAfterMapping) = (events.plain, events.kind == .mappingEnd)
        if events.advance() {
            valueErrors = draft.errors.count
            return true
        }
        // A text without quotes right before a syntax error is likely to be part of it, and a mapping to go on after it.
        let last = plain.map { events.text(of: $0) }
        let before = last.flatMap { $0.text.utf8.contains(UInt8(ascii: ":")) ? $0 : nil }
        if isAfterMapping || before != nil || last?.text.utf8.contains(UInt8(ascii: " ")) == true {
            draft.errors.truncate(to: valueErrors)
        }
        let (place, message) = events.syntaxError(exclusionsHere, after: before)
        draft.errors.add(place, path: "", message)
        return false
    }

    /// Notes an error after which nothing can be read.
    mutating func end(_ message: String) {
        draft.errors.add(events.place, path: "", message)
        events.end()
    }

    /// Enters a list or a mapping.
    mutating func enter() -> Bool {
        guard depth < ConfigurationDecoder.maximumDepth else {
            end("lists and mappings are more than \(ConfigurationDecoder.maximumDepth) deep in one another")
            return false
        }
        depth += 1
        return true
    }

    /// Passes over a value, of which it is only noted what is no part of the language at all.
    mutating func skip(_ exclusions: Exclusions = .allowed) {
        switch events.kind {
        case .scalar, .alias: _ = refuses(exclusions)
        case .sequenceStart, .mappingStart:
            _ = refuses(exclusions)
            guard enter() else { return }
            defer { depth -= 1 }
            while next(), events.kind != .sequenceEnd, events.kind != .mappingEnd { skip() }
        default: break
        }
    }

    /// Whether the value is no part of the language: an alias, or something with an anchor or a tag. That is noted.
    ///
    mutating func refuses(_ exclusions: Exclusions = .allowed) -> Bool {
        if events.kind == .alias {
            draft.errors.add(events.place, "an alias (*…); aliases are not part of the language")
            return true
        }
        if events.hasProperties {
            if events.hasAnchor {
                draft.errors.add(events.place, "an anchor (&…); anchors are not part of the language")
            }
            if let tag = events.tag { refuse(tag: tag, exclusions) }
            return true
        }
        guard events.kind == .scalar, events.isAfterExclamation() else { return false }
        refuse(tag: "!", exclusions)
        return true
    }

    private mutating func refuse(tag: String, _ exclusions: Exclusions) {
        let value = events.kind == .scalar ? events.scalar.string : ""
        // A tag before a text is one; a "!" or a word with it and nothing after is meant as "everything but".
        let isExclusion = exclusions != .none && !tag.hasPrefix("!!") && (tag == "!" || value.isEmpty)
        draft.errors.add(
            events.place,
            isExclusion ? exclusions.refusal("\(tag)\(value)") : "a tag (\(tag)); tags are not part of the language")
    }

    /// Whether values that begin with "!" may be where something was read, as far as the way to it says.
    private var exclusionsHere: Exclusions {
        let keys = draft.errors.path.compactMap { if case .key(let key) = $0 { "\(key)" } else { nil } }
        switch keys.last {
        case "sources", "destinations", "source-macs", "in-interface", "out-interface": return .allowed
        case "addresses": return keys.first == "services" ? .allowed : .refused
        default: return keys.isEmpty ? .allowed : .refused
        }
    }

    mutating func at<Result>(_ step: ErrorList.Step, _ body: (inout ConfigurationDecoder) -> Result) -> Result {
        draft.errors.path.append(step)
        defer { draft.errors.path.removeLast() }
        return body(&self)
    }

    // MARK: - Mappings and lists

    /// Reads a mapping; the body reads the value of each known key. Unknown, duplicate and missing keys are noted.
    ///
    /// - Parameter wanted: what the mapping is, for the error where there is none.
    /// - Returns: the words that were there; nil if it was no mapping, or was not read to its end.
    mutating func mapping<Key: Word>(
        _ wanted: @autoclosure () -> String, required: [Key] = [], _ body: (inout ConfigurationDecoder, Key) -> Void
    ) -> Words<Key>? {
        guard events.kind == .mappingStart else {
            noteKind("expected \(wanted())")
            skip()
            return nil
        }
        if events.hasProperties { _ = refuses() }
        let place = events.place
        guard enter() else { return nil }
        defer { depth -= 1 }
        var words = Words<Key>()
        while next() {
            if events.kind == .mappingEnd {
                for key in required where !words.has(key) && !words.isMeant(key) {
                    draft.errors.add(place, "\(key.text) is missing")
                }
                return words
            }
            guard member(&words, body) else { return nil }
        }
        return nil
    }

    private mutating func member<Key: Word>(_ words: inout Words<Key>, _ body: (inout ConfigurationDecoder, Key) -> Void) -> Bool {
        let place = events.place
        guard events.kind == .scalar, !events.hasProperties else {
            if events.kind == .scalar || events.kind == .alias {
                _ = refuses()
            } else {
                draft.errors.add(place, "a key is a single word; known here: \(Key.words.list)")
                skip()
            }
            guard next() else { return false }
            skip()
            return !events.hasEnded
        }
        if let key = words.find(events.scalar) {
            guard at(.key(key.text), { $0.next() }) else { return false }
            if let line = words.line(of: key) {
                draft.errors.path.append(.key(key.text))
                draft.errors.add(place, "duplicate key; the first is in line \(line)")
                draft.errors.path.removeLast()
                skip()
            } else {
                words.add(key, place)
                at(.key(key.text)) { body(&$0, key) }
            }
        } else {
            // A file of junk has millions of them; their texts are of use for the first ones alone.
            let text = words.wantsUnknown || !draft.errors.isFull ? events.scalar.string : ""
            guard next() else { return false }
            words.addUnknown(text)
            if draft.errors.counts() {
                draft.errors.keep(draft.errors.position(place), path: unknownPath(text), Words<Key>.explain(unknown: text))
            }
            skip()
        }
        return !events.hasEnded
    }

    private func unknownPath(_ key: String) -> String {
        let path = draft.errors.pathText
        return path.isEmpty ? key : "\(path).\(key)"
    }

    /// Reads a list; the body reads each element.
    ///
    /// - Returns: how many elements there were; nil if it was no list, or was not read to its end.
    mutating func list(_ wanted: @autoclosure () -> String, _ body: (inout ConfigurationDecoder, Int) -> Void) -> Int? {
        guard events.kind == .sequenceStart else {
            noteKind(wanted())
            skip()
            return nil
        }
        if events.hasProperties { _ = refuses() }
        guard enter() else { return nil }
        defer { depth -= 1 }
        var count = 0
        while next() {
            if events.kind == .sequenceEnd { return count }
            at(.index(count)) { body(&$0, count) }
            count += 1
            if events.hasEnded { return nil }
        }
        return nil
    }

    /// Notes that the value is of the wrong kind, unless `skip` will note that it is no part of the language at all.
    mutating func noteKind(_ wanted: @autoclosure () -> String) {
        if events.kind == .alias || (events.kind == .scalar && (events.hasProperties || events.isAfterExclamation())) { return }
        let found =
            switch events.kind {
            case .scalar: events.isNull ? "no value" : "a single value"
            case .sequenceStart: "a list"
            case .mappingStart: "a mapping"
            default: "something else"
            }
        draft.errors.add(events.place, "\(found); \(wanted())")
    }
}
