/// A piece of a YAML document and where it begins.
struct YAMLNode {
    /// What the piece is.
    enum Content {
        /// A text, and whether it stands without quotes.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([(key: YAMLNode, value: YAMLNode)])
    }

    let content: Content
    /// Both counted from 1; columns in characters.
    let line: Int
    let column: Int

    /// Whether nothing stands here: `key:` alone, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return text.isEmpty || text == "~" || text == "null"
    }

    /// The kind in words, for faults.
    var kindName: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}
