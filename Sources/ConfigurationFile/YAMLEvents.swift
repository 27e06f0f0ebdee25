// SPDX-License-Identifier: GPL-2.0-or-later
import CYAML

/// The events of one YAML document, read with libyaml: what comes next in the file, one at a time.
///
/// After a syntax error nothing can be read: `hasEnded` is true then, and the error is noted.
struct YAMLEvents: ~Copyable {
    /// What kind of event.
    enum Kind {
        case scalar, alias, sequenceStart, sequenceEnd, mappingStart, mappingEnd, documentStart, documentEnd, streamEnd, other

        init(_ type: yaml_event_type_t) {
            self =
                switch type {
                case YAML_SCALAR_EVENT: .scalar
                case YAML_ALIAS_EVENT: .alias
                case YAML_SEQUENCE_START_EVENT: .sequenceStart
                case YAML_SEQUENCE_END_EVENT: .sequenceEnd
                case YAML_MAPPING_START_EVENT: .mappingStart
                case YAML_MAPPING_END_EVENT: .mappingEnd
                case YAML_DOCUMENT_START_EVENT: .documentStart
                case YAML_DOCUMENT_END_EVENT: .documentEnd
                case YAML_STREAM_END_EVENT: .streamEnd
                default: .other
                }
        }
    }

    /// A scalar without quotes: where it begins and ends.
    struct Plain {
        fileprivate let start, end: yaml_mark_t
    }

    /// libyaml keeps pointers to its parser, so it needs an address of its own.
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    private let event = UnsafeMutablePointer<yaml_event_t>.allocate(capacity: 1)
    let bytes: UnsafeBufferPointer<UInt8>
    /// Whether nothing more can be read.
    private(set) var hasEnded = false
    /// What kind of event the current one is.
    private(set) var kind = Kind.other
    private let isInitialized: Bool
    private let isASCII: Bool
    /// A byte of the text and the number of the character that begins there: libyaml counts characters.
    private var cursor = (byte: 0, character: 0)

    /// The number of the text's first line in its file, counted from 0.
    private let firstLine: Int

    /// The events of this text, which has to outlive them.
    init(_ bytes: UnsafeBufferPointer<UInt8>, isASCII: Bool, firstLine: Int) {
        // libyaml skips a byte order mark, but counts it as a column.
        let start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        self.bytes = UnsafeBufferPointer(rebasing: bytes[start...])
        self.isASCII = isASCII
        self.firstLine = firstLine
        event.initialize(to: yaml_event_t())
        parser.initialize(to: yaml_parser_t())
        isInitialized = yaml_parser_initialize(parser) == 1
        guard isInitialized else {
            hasEnded = true
            return
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, self.bytes.baseAddress, self.bytes.count)
    }

    deinit {
        yaml_event_delete(event)
        if isInitialized { yaml_parser_delete(parser) }
        event.deallocate()
        parser.deallocate()
    }

    // MARK: - The current event

    /// Reads the next event in place of the current one.
    ///
    /// - Returns: false if there is none: `syntaxError` says why.
    mutating func advance() -> Bool {
        guard !hasEnded else { return false }
        yaml_event_delete(event)
        if yaml_parser_parse(parser, event) == 1 {
            kind = Kind(event.pointee.type)
            return true
        }
        kind = .other
        hasEnded = true
        return false
    }

    /// Ends the reading.
    mutating func end() { hasEnded = true }

    /// Where the current event begins.
    var place: Place { place(event.pointee.start_mark) }

    private func place(_ mark: yaml_mark_t) -> Place { Place(line: firstLine + Int(mark.line) + 1, column: mark.column + 1) }

    /// The current event, if it is a scalar without quotes.
    var plain: Plain? {
        kind == .scalar && isPlain ? Plain(start: event.pointee.start_mark, end: event.pointee.end_mark) : nil
    }

    /// The scalar as the file has it, and its place.
    mutating func text(of plain: Plain) -> (text: String, place: Place) {
        let bytes = bytes(from: plain.start)
        let length = bytes.count - self.bytes(from: plain.end).count
        return (String(decoding: bytes.prefix(length), as: UTF8.self), place(plain.start))
    }

    /// Whether the list is one of dashes, each in a line of its own.
    var hasDashes: Bool { event.pointee.data.sequence_start.style == YAML_BLOCK_SEQUENCE_STYLE }

    /// Whether the document ends with the text, and not with a mark of its end.
    var isEndOfText: Bool { event.pointee.data.document_end.implicit == 1 }

    /// The text of the current event, which is a scalar. Gone with the next event.
    var scalar: ScalarText {
        let scalar = event.pointee.data.scalar
        return ScalarText(bytes: UnsafeBufferPointer(start: scalar.value, count: scalar.length))
    }

    /// Whether there is a "!" before the scalar that is none of its characters. libyaml reads `! 10.0.0.0/8` as `10.0.0.0/8`.
    mutating func isAfterExclamation() -> Bool { bytes(from: event.pointee.start_mark).first == UInt8(ascii: "!") }

    /// The text from the mark on. Marks have to come in their order in the file.
    mutating func bytes(from mark: yaml_mark_t) -> Slice<UnsafeBufferPointer<UInt8>> {
        if isASCII { return bytes[min(Int(mark.index), bytes.count)...] }
        if cursor.character > mark.index { cursor = (0, 0) }
        while cursor.character < mark.index, cursor.byte < bytes.count {
            cursor.byte += 1
            while cursor.byte < bytes.count, bytes[cursor.byte] & 0xc0 == 0x80 { cursor.byte += 1 }
            cursor.character += 1
        }
        return bytes[cursor.byte...]
    }

    /// Whether the scalar is without quotes.
    var isPlain: Bool { event.pointee.data.scalar.style == YAML_PLAIN_SCALAR_STYLE }

    /// Whether the scalar is nothing: `key:` alone, `~` or `null`.
    var isNull: Bool {
        guard kind == .scalar, isPlain else { return false }
        let scalar = scalar
        guard scalar.bytes.count <= 4 else { return false }
        return scalar.bytes.isEmpty || scalar == "~" || scalar == "null" || scalar == "Null" || scalar == "NULL"
    }

    /// Whether the event has an anchor.
    var hasAnchor: Bool { properties.anchor != nil }

    /// The event's tag as the file has it; nil without one.
    var tag: String? {
        guard let tag = properties.tag else { return nil }
        // libyaml writes "!!str" out as its name in full.
        let full = String(cString: tag)
        let core = "tag:yaml.org,2002:"
        return full.hasPrefix(core) ? "!!" + full.dropFirst(core.count) : full
    }

    /// Whether the event has an anchor or a tag.
    var hasProperties: Bool {
        let properties = properties
        return properties.anchor != nil || properties.tag != nil
    }

    private var properties: (anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?) {
        switch kind {
        case .scalar: (event.pointee.data.scalar.anchor, event.pointee.data.scalar.tag)
        case .sequenceStart: (event.pointee.data.sequence_start.anchor, event.pointee.data.sequence_start.tag)
        case .mappingStart: (event.pointee.data.mapping_start.anchor, event.pointee.data.mapping_start.tag)
        default: (nil, nil)
        }
    }
}

extension Place {
    init(_ mark: yaml_mark_t) { self.init(line: mark.line + 1, column: mark.column + 1) }
}
