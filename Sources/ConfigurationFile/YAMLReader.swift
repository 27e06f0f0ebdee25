import CYAML
import Rules

/// Reads one YAML document into nodes with libyaml, the language cut down to what a configuration needs: no anchors, no
/// aliases, no tags, one document, bounded depth.
///
/// Anchors, aliases and tags are noted, and reading goes on. Behind a syntax error nothing can be read; what stands before it is
/// kept, so that its faults are found as well.
struct YAMLReader: ~Copyable {
    /// How deep lists and mappings may stand in one another.
    static let maximumDepth = 16
    /// How many faults are kept; far more than a person wants to see.
    private static let faultLimit = FaultList.limit + 1
    private static let quotedExclusion = "a value that begins with ! in quotes: \"!10.0.0.0/8\""

    private var parser = yaml_parser_t()
    private let text: ConfigurationText
    private var depth = 0
    private var faults: [Fault] = []
    /// Whether reading ended before the document did.
    private var isCut = false

    /// The document's root, nil for a file without any, and what was wrong with it.
    static func read(_ text: ConfigurationText) -> (root: YAMLNode?, faults: [Fault]) {
        // libyaml skips a byte order mark, but counts it as a column.
        let start = text.bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        return text.bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress, bytes.count > start else { return (nil, []) }
            var reader = YAMLReader(text)
            guard yaml_parser_initialize(&reader.parser) == 1 else {
                reader.cut(yaml_mark_t(), "libyaml has no memory", "a machine with free memory")
                return (nil, reader.faults)
            }
            yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING)
            // The bytes outlive the reader, which ends with this closure.
            yaml_parser_set_input_string(&reader.parser, base + start, bytes.count - start)
            let root = reader.document()
            return (root, reader.faults)
        }
    }

    private init(_ text: ConfigurationText) { self.text = text }

    deinit {
        // A copy of the structure: deinit may not change the value itself, and libyaml frees what it points to.
        var parser = parser
        yaml_parser_delete(&parser)
    }

    // MARK: - Grammar

    private mutating func document() -> YAMLNode? {
        skip()  // the stream's start
        guard var start = next() else { return nil }
        defer { yaml_event_delete(&start) }
        guard start.type == YAML_DOCUMENT_START_EVENT, let root = node() else { return nil }
        skip()  // the document's end
        guard var end = next() else { return root }
        defer { yaml_event_delete(&end) }
        if end.type != YAML_STREAM_END_EVENT { cut(end.start_mark, "a second document begins", "one document a file") }
        return root
    }

    /// - Returns: nil if reading ended before anything stood here.
    private mutating func node() -> YAMLNode? {
        guard var event = next() else { return nil }
        defer { yaml_event_delete(&event) }
        return node(event)
    }

    private mutating func node(_ event: yaml_event_t) -> YAMLNode? {
        let mark = event.start_mark
        var content: YAMLNode.Content
        var isWhole = true
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            content = .scalar(String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            if scalar.anchor != nil || scalar.tag != nil {
                refuse(anchor: scalar.anchor, tag: scalar.tag, mark)
                content = .refused
            }
        case YAML_SEQUENCE_START_EVENT:
            refuse(anchor: event.data.sequence_start.anchor, tag: event.data.sequence_start.tag, mark)
            let sequence = sequence(mark)
            (content, isWhole) = (.sequence(sequence.nodes), sequence.isWhole)
        case YAML_MAPPING_START_EVENT:
            refuse(anchor: event.data.mapping_start.anchor, tag: event.data.mapping_start.tag, mark)
            let mapping = mapping(mark)
            (content, isWhole) = (.mapping(mapping.pairs), mapping.isWhole)
        case YAML_ALIAS_EVENT:
            note(mark, "an alias (*…) stands here", "the value itself; aliases are not part of the language")
            content = .refused
        default:
            cut(mark, "the document ends here", "a value")
            return nil
        }
        return YAMLNode(
            content: content, line: Int32(clamping: mark.line + 1), column: Int32(clamping: mark.column + 1), isWhole: isWhole)
    }

    private mutating func sequence(_ mark: yaml_mark_t) -> (nodes: [YAMLNode], isWhole: Bool) {
        guard enter(mark) else { return ([], false) }
        defer { depth -= 1 }
        var nodes: [YAMLNode] = []
        while !isCut {
            guard var event = next() else {
                if let last = nodes.popLast() { last.beforeError.map { nodes.append($0) } }
                break
            }
            defer { yaml_event_delete(&event) }
            if event.type == YAML_SEQUENCE_END_EVENT { return (nodes, true) }
            if let node = node(event) { nodes.append(node) }
        }
        return (nodes, false)
    }

    private mutating func mapping(_ mark: yaml_mark_t) -> (pairs: [(key: YAMLNode, value: YAMLNode)], isWhole: Bool) {
        guard enter(mark) else { return ([], false) }
        defer { depth -= 1 }
        var pairs: [(key: YAMLNode, value: YAMLNode)] = []
        while !isCut {
            guard var event = next() else {
                if let last = pairs.popLast() { last.value.beforeError.map { pairs.append((last.key, $0)) } }
                break
            }
            defer { yaml_event_delete(&event) }
            if event.type == YAML_MAPPING_END_EVENT { return (pairs, true) }
            if let key = node(event), !isCut, let value = node() { pairs.append((key, value)) }
        }
        return (pairs, false)
    }

    // MARK: - Events

    /// - Returns: nil when reading has ended, by a syntax error that is noted.
    private mutating func next() -> yaml_event_t? {
        guard !isCut else { return nil }
        var event = yaml_event_t()
        guard yaml_parser_parse(&parser, &event) == 1 else {
            noteSyntaxError()
            return nil
        }
        return event
    }

    private mutating func skip() {
        if var event = next() { yaml_event_delete(&event) }
    }

    private mutating func enter(_ mark: yaml_mark_t) -> Bool {
        guard depth < YAMLReader.maximumDepth else {
            cut(
                mark, "lists and mappings stand more than \(YAMLReader.maximumDepth) deep in one another",
                "the five levels that the language has")
            return false
        }
        depth += 1
        return true
    }

    // MARK: - Faults

    private mutating func refuse(
        anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?, _ mark: yaml_mark_t
    ) {
        if anchor != nil {
            note(mark, "an anchor (&…) stands here", "the value alone; anchors are not part of the language")
        }
        if let tag {
            // libyaml writes "!!str" out as its name in full.
            let full = String(cString: tag)
            let core = "tag:yaml.org,2002:"
            let text = full.hasPrefix(core) ? "!!" + full.dropFirst(core.count) : full
            let isExclusion = !text.hasPrefix("!!") && text.utf8.contains { [UInt8(ascii: "."), UInt8(ascii: ":")].contains($0) }
            note(
                mark, "a tag (\(text)) stands here",
                isExclusion ? YAMLReader.quotedExclusion : "the value alone; tags are not part of the language")
        }
    }

    private mutating func noteSyntaxError() {
        let problem = parser.problem.map { String(cString: $0) } ?? "unreadable text"
        var context = parser.context.map { " " + String(cString: $0) } ?? ""
        let isTag = parser.context.map { ["while scanning a tag", "while parsing a tag"].contains(String(cString: $0)) } ?? false
        let mark = isTag ? parser.context_mark : parser.problem_mark
        if !context.isEmpty, parser.context_mark.line != mark.line {
            context += " that begins in line \(parser.context_mark.line + 1)"
        }
        let expected =
            switch problem {
            case "found character that cannot start any token":
                character(mark) == UInt8(ascii: "\t")
                    ? "spaces: YAML takes no tabs before a value" : "a value that begins with it in quotes"
            case "found a tab character that violates indentation", "found a tab character where an indentation space is expected":
                "spaces: YAML takes no tabs before a value"
            case "mapping values are not allowed in this context":
                "one key in a line, and the keys of an entry all in one column"
            case "did not find expected key", "did not find expected '-' indicator",
                "block sequence entries are not allowed in this context":
                "the keys of an entry all in one column, and so the dashes of a list"
            case "did not find expected ',' or ']'": "a ] that closes the list"
            case "did not find expected ',' or '}'": "a } that closes the mapping"
            case "found unexpected end of stream", "found unexpected document indicator": "a quote that closes the text"
            case "could not find expected ':'": "a key with a colon behind it"
            case "found unexpected ':'": "a value that ends in a colon in quotes"
            case "did not find expected <document start>": "one document a file"
            default: isTag ? YAMLReader.quotedExclusion : "valid YAML"
            }
        cut(mark, problem + context, expected)
    }

    /// The byte at the mark, whose index counts characters: to be found by line and column.
    private func character(_ mark: yaml_mark_t) -> UInt8? {
        let lines = text.bytes.split(separator: UInt8(ascii: "\n"), maxSplits: Int(mark.line) + 1, omittingEmptySubsequences: false)
        guard mark.line < lines.count else { return nil }
        let line = Array(String(decoding: lines[Int(mark.line)], as: UTF8.self).unicodeScalars)
        return mark.column < line.count ? UInt8(exactly: line[Int(mark.column)].value) : nil
    }

    private mutating func note(_ mark: yaml_mark_t, _ problem: String, _ expected: String) {
        let position = SourcePosition(file: text.path, line: Int(mark.line) + 1, column: Int(mark.column) + 1)
        faults.append(Fault(position: position, path: "", problem: problem, expected: expected))
        if faults.count >= YAMLReader.faultLimit { isCut = true }
    }

    /// Notes a fault behind which nothing can be read.
    private mutating func cut(_ mark: yaml_mark_t, _ problem: String, _ expected: String) {
        note(mark, problem, expected)
        isCut = true
    }
}

extension YAMLNode {
    /// What can be said of the piece that stands right before a syntax error: a list or a mapping may go on behind it, and a text
    /// without quotes that goes over several lines is likely to be part of the error.
    fileprivate var beforeError: YAMLNode? {
        if case .scalar(let text, isPlain: true) = content, text.utf8.contains(UInt8(ascii: " ")) { return nil }
        var node = self
        node.isWhole = false
        return node
    }
}
