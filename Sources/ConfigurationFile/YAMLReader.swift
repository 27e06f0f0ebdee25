internal import CYAML
internal import Rules

/// Reads one YAML document into nodes with libyaml, the language cut down to what a configuration needs: no anchors, no
/// aliases, no tags, one document, bounded depth.
struct YAMLReader: ~Copyable {
    /// How deep lists and mappings may stand in one another.
    static let maximumDepth = 16

    private var parser = yaml_parser_t()
    private let file: String
    private var depth = 0

    /// The document's root; nil for a file without any.
    ///
    /// - Throws: the first fault, behind which nothing can be read.
    static func read(_ text: ConfigurationText) throws(Fault) -> YAMLNode? {
        let result: Result<YAMLNode?, Fault> = text.bytes.withUnsafeBufferPointer { bytes in
            do throws(Fault) {
                var reader = try YAMLReader(file: text.path)
                yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING)
                // The bytes outlive the reader, which ends with this closure.
                yaml_parser_set_input_string(&reader.parser, bytes.baseAddress, bytes.count)
                return .success(try reader.document())
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private init(file: String) throws(Fault) {
        self.file = file
        guard yaml_parser_initialize(&parser) == 1 else {
            throw Fault(
                position: SourcePosition(file: file, line: 1, column: 1), path: "", problem: "libyaml has no memory",
                expected: "a machine with free memory")
        }
    }

    deinit {
        // A copy of the structure: deinit may not change the value itself, and libyaml frees what it points to.
        var parser = parser
        yaml_parser_delete(&parser)
    }

    // MARK: - Grammar

    private mutating func document() throws(Fault) -> YAMLNode? {
        try skip()  // the stream's start
        var event = try next()
        defer { yaml_event_delete(&event) }
        guard event.type == YAML_DOCUMENT_START_EVENT else { return nil }
        let root = try node()
        try skip()  // the document's end
        var end = try next()
        defer { yaml_event_delete(&end) }
        guard end.type == YAML_STREAM_END_EVENT else {
            throw fault(end.start_mark, "a second document begins", "one document a file")
        }
        return root
    }

    private mutating func node() throws(Fault) -> YAMLNode {
        var event = try next()
        defer { yaml_event_delete(&event) }
        return try node(event)
    }

    private mutating func node(_ event: yaml_event_t) throws(Fault) -> YAMLNode {
        let mark = event.start_mark
        let content: YAMLNode.Content
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            try refuse(anchor: scalar.anchor, tag: scalar.tag, mark)
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            content = .scalar(String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
        case YAML_SEQUENCE_START_EVENT:
            try refuse(anchor: event.data.sequence_start.anchor, tag: event.data.sequence_start.tag, mark)
            content = .sequence(try sequence(mark))
        case YAML_MAPPING_START_EVENT:
            try refuse(anchor: event.data.mapping_start.anchor, tag: event.data.mapping_start.tag, mark)
            content = .mapping(try mapping(mark))
        case YAML_ALIAS_EVENT:
            throw fault(mark, "an alias (*…) stands here", "the value itself; aliases are not part of the language")
        default:
            throw fault(mark, "the document ends here", "a value")
        }
        return YAMLNode(content: content, line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }

    private mutating func sequence(_ mark: yaml_mark_t) throws(Fault) -> [YAMLNode] {
        try enter(mark)
        defer { depth -= 1 }
        var nodes: [YAMLNode] = []
        while true {
            var event = try next()
            defer { yaml_event_delete(&event) }
            if event.type == YAML_SEQUENCE_END_EVENT { return nodes }
            nodes.append(try node(event))
        }
    }

    private mutating func mapping(_ mark: yaml_mark_t) throws(Fault) -> [(key: YAMLNode, value: YAMLNode)] {
        try enter(mark)
        defer { depth -= 1 }
        var pairs: [(key: YAMLNode, value: YAMLNode)] = []
        while true {
            var event = try next()
            defer { yaml_event_delete(&event) }
            if event.type == YAML_MAPPING_END_EVENT { return pairs }
            let key = try node(event)
            pairs.append((key, try node()))
        }
    }

    // MARK: - Events and faults

    private mutating func next() throws(Fault) -> yaml_event_t {
        var event = yaml_event_t()
        guard yaml_parser_parse(&parser, &event) == 1 else { throw syntaxFault() }
        return event
    }

    private mutating func skip() throws(Fault) {
        var event = try next()
        yaml_event_delete(&event)
    }

    private mutating func enter(_ mark: yaml_mark_t) throws(Fault) {
        depth += 1
        guard depth <= YAMLReader.maximumDepth else {
            throw fault(
                mark, "lists and mappings stand more than \(YAMLReader.maximumDepth) deep in one another",
                "the four levels that the language has")
        }
    }

    private func refuse(
        anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?, _ mark: yaml_mark_t
    ) throws(Fault) {
        if anchor != nil {
            throw fault(mark, "an anchor (&…) stands here", "the value alone; anchors are not part of the language")
        }
        if let tag {
            let text = String(cString: tag)
            throw fault(
                mark, "a tag (\(text)) stands here",
                text.hasPrefix("!") && text.contains("/") ? "\"\(text)\" in quotes" : "the value alone; tags are not part of the language")
        }
    }

    private func fault(_ mark: yaml_mark_t, _ problem: String, _ expected: String) -> Fault {
        Fault(
            position: SourcePosition(file: file, line: Int(mark.line) + 1, column: Int(mark.column) + 1), path: "",
            problem: problem, expected: expected)
    }

    private func syntaxFault() -> Fault {
        let problem = parser.problem.map { String(cString: $0) } ?? "unreadable text"
        let context = parser.context.map { " " + String(cString: $0) } ?? ""
        return fault(parser.problem_mark, "\(problem)\(context)", "valid YAML")
    }
}
