// SPDX-License-Identifier: GPL-2.0-or-later
import CYAML

/// A YAML document as a tree, built by the shortest code that does it. It is there to be compared with, not to be fast.
struct ReferenceNode {
    enum Content {
        case scalar(String, isPlain: Bool)
        case list([ReferenceNode])
        case mapping([(key: ReferenceNode, value: ReferenceNode)])
        case alias
    }

    var content: Content
    var line: Int
    var column: Int
    var hasAnchor = false
    /// Whether there is a tag, or a "!" that libyaml takes for one and forgets.
    var hasTag = false
    /// Whether the tag is such a "!".
    var isForgottenTag = false

    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    var text: String? {
        guard case .scalar(let text, _) = content else { return nil }
        return text
    }
}

/// What a text is to YAML.
enum ReferenceDocument {
    /// The root of the only document; nil for a text without any.
    case root(ReferenceNode?)
    /// Nothing can be read after here: a syntax error, a second document, or more than 16 levels.
    case broken

    init(_ bytes: [UInt8]) {
        let bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
        let scalars = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        yaml_parser_initialize(parser)
        defer { yaml_parser_delete(parser) }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        var events: [yaml_event_t] = []
        defer { for index in events.indices { yaml_event_delete(&events[index]) } }
        let isWhole = bytes.withUnsafeBufferPointer { bytes in
            yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
            while events.last?.type != YAML_STREAM_END_EVENT {
                var event = yaml_event_t()
                guard yaml_parser_parse(parser, &event) == 1 else { return false }
                events.append(event)
                if events.count(where: { $0.type == YAML_DOCUMENT_START_EVENT }) > 1 { return false }
            }
            return true
        }
        guard isWhole else {
            self = .broken
            return
        }
        guard events.count > 2 else {
            self = .root(nil)
            return
        }
        var next = 2
        guard let root = ReferenceDocument.node(events, &next, scalars, 0) else {
            self = .broken
            return
        }
        self = .root(root)
    }

    /// - Returns: nil where it is too deep.
    private static func node(
        _ events: [yaml_event_t], _ next: inout Int, _ text: [UnicodeScalar], _ depth: Int
    ) -> ReferenceNode? {
        let event = events[next]
        next += 1
        func make(_ content: ReferenceNode.Content, _ anchor: Bool, _ tag: Bool) -> ReferenceNode {
            ReferenceNode(
                content: content, line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1, hasAnchor: anchor,
                hasTag: tag)
        }
        switch event.type {
        case YAML_ALIAS_EVENT: return make(.alias, false, false)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let value = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            let start = Int(event.start_mark.index)
            let isAfterExclamation = start < text.count && text[start] == "!"
            var node = make(
                .scalar(value, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), scalar.anchor != nil,
                scalar.tag != nil || (scalar.anchor == nil && isAfterExclamation))
            node.isForgottenTag = scalar.tag == nil && node.hasTag
            return node
        case YAML_SEQUENCE_START_EVENT:
            guard depth < 16 else { return nil }
            var nodes: [ReferenceNode] = []
            while events[next].type != YAML_SEQUENCE_END_EVENT {
                guard let node = node(events, &next, text, depth + 1) else { return nil }
                nodes.append(node)
            }
            next += 1
            return make(.list(nodes), event.data.sequence_start.anchor != nil, event.data.sequence_start.tag != nil)
        default:
            guard depth < 16 else { return nil }
            var pairs: [(key: ReferenceNode, value: ReferenceNode)] = []
            while events[next].type != YAML_MAPPING_END_EVENT {
                guard let key = node(events, &next, text, depth + 1), let value = node(events, &next, text, depth + 1) else {
                    return nil
                }
                pairs.append((key, value))
            }
            next += 1
            return make(.mapping(pairs), event.data.mapping_start.anchor != nil, event.data.mapping_start.tag != nil)
        }
    }
}
