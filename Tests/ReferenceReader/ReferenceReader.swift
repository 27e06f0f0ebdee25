// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

@testable import ConfigurationFile

/// The reader of configuration files once more: a walk over a tree, with the parsers of the types themselves and no thought of speed.
///
/// It says where errors are, not what they are.
package struct ReferenceReader {
    var configuration = Configuration()
    /// `line:column path` of each error.
    var errors: [String] = []
    var path = ""

    /// What came of a comparison.
    package enum Outcome: Equatable {
        /// Not compared: characters that are no text, or too many errors.
        case passedOver
        /// Nothing can be read after some place; both say so.
        case broken
        /// Both find the same errors.
        case refused
        /// Both read the same configuration.
        case accepted
        /// What each says.
        case differs(String)
    }

    /// What the reader makes of a file, and what this one makes of it: they are the same, or one of them is wrong.
    package static func compare(_ bytes: [UInt8]) -> Outcome {
        let text = ConfigurationText(path: "f", bytes: bytes)
        var draft = ConfigurationDraft()
        draft.begin(text)
        var unreadable = ErrorList()
        _ = text.check(&unreadable)
        draft = ConfigurationDecoder.decode(text, into: draft)
        if let how = differenceInParts(text, draft) { return .differs(how) }
        let errors = draft.errors.sorted(["f"])
        // Characters that are no text are another matter, and a list that is cut short cannot be compared.
        guard unreadable.count == 0, (errors?.count ?? 0) <= ErrorList.limit else { return .passedOver }
        let found = (errors?.errors ?? []).map { "\($0.line):\($0.column) \($0.path)" }.sorted()
        switch ReferenceDocument(bytes) {
        case .broken: return found.isEmpty ? .differs("the document is broken, and nothing was found") : .broken
        case .root(let root):
            var reference = ReferenceReader()
            if let root { reference.sections(root) }
            let expected = reference.errors.map { $0.onOneLine }.sorted()
            if found != expected { return .differs("found \(found), expected \(expected)") }
            if reference.configuration != draft.configuration {
                return .differs("read as \(draft.configuration), expected \(reference.configuration)")
            }
            return found.isEmpty ? .accepted : .refused
        }
    }

    // MARK: - Errors

    mutating func note(_ node: ReferenceNode, _ path: String? = nil) {
        errors.append("\(node.line):\(node.column) \((path ?? self.path).onOneLine)")
    }

    mutating func at<Result>(_ step: String, _ body: (inout ReferenceReader) -> Result) -> Result {
        let before = path
        path += step.hasPrefix("[") || path.isEmpty ? step : ".\(step)"
        defer { path = before }
        return body(&self)
    }

    /// Notes anchors, tags and aliases of a node itself.
    mutating func refuses(_ node: ReferenceNode) -> Bool {
        if case .alias = node.content {
            note(node)
            return true
        }
        if node.hasAnchor { note(node) }
        if node.hasTag { note(node) }
        return node.hasAnchor || node.hasTag
    }

    /// The same of everything below it.
    mutating func skip(_ node: ReferenceNode) {
        _ = refuses(node)
        switch node.content {
        case .list(let nodes): for node in nodes { skip(node) }
        case .mapping(let pairs):
            for (key, value) in pairs {
                skip(key)
                skip(value)
            }
        case .scalar, .alias: break
        }
    }

    mutating func wrongKind(_ node: ReferenceNode) {
        switch node.content {
        case .alias: break
        case .scalar: if !node.hasAnchor && !node.hasTag { note(node) }
        case .list, .mapping: note(node)
        }
        skip(node)
    }

    // MARK: - Kinds

    /// The known members of a mapping, and the words that are likely to be meant by unknown ones.
    mutating func members(
        _ node: ReferenceNode, _ words: [StaticString], required: [String] = []
    ) -> (values: [String: ReferenceNode], meant: Set<String>)? {
        guard case .mapping(let pairs) = node.content else {
            wrongKind(node)
            return nil
        }
        _ = refuses(node)
        var values: [String: ReferenceNode] = [:]
        var unknown: [String] = []
        for (key, value) in pairs {
            guard let text = key.text, !key.hasAnchor, !isTagged(key) else {
                if key.text == nil, case .alias = key.content {
                    _ = refuses(key)
                } else if key.text != nil {
                    _ = refuses(key)
                } else {
                    note(key)
                    skip(key)
                }
                skip(value)
                continue
            }
            if !words.contains(where: { "\($0)" == text }) {
                unknown.append(text)
                note(key, path.isEmpty ? text : "\(path).\(text)")
                skip(value)
            } else if values[text] != nil {
                at(text) { $0.note(key) }
                skip(value)
            } else {
                values[text] = value
            }
        }
        let many = unknown.count >= 16
        let meant = Set(unknown.prefix(16).compactMap { nearest($0, words).map { "\(words[$0])" } })
            .union(many ? words.map { "\($0)" } : [])
        for key in required where values[key] == nil && !meant.contains(key) { note(node) }
        return (values, meant)
    }

    /// Of keys only real tags count: a "!" before one is part of no value.
    private func isTagged(_ key: ReferenceNode) -> Bool { key.hasTag && !key.isForgottenTag }

    mutating func list(_ node: ReferenceNode, _ body: (inout ReferenceReader, ReferenceNode) -> Void) {
        guard case .list(let nodes) = node.content else { return wrongKind(node) }
        _ = refuses(node)
        for (index, node) in nodes.enumerated() { at("[\(index)]") { body(&$0, node) } }
    }

    mutating func elements(_ node: ReferenceNode, _ body: (inout ReferenceReader, ReferenceNode) -> Void) {
        if case .list(let nodes) = node.content, nodes.isEmpty { note(node) }
        list(node, body)
    }

    mutating func value<Value>(_ node: ReferenceNode, _ parse: (String) -> Value?) -> Value? {
        guard let text = node.text, !node.isNull else {
            if node.text != nil, node.hasAnchor || node.hasTag { _ = refuses(node) } else { wrongKind(node) }
            return nil
        }
        if refuses(node) { return nil }
        guard let value = parse(text) else {
            note(node)
            return nil
        }
        return value
    }
}
