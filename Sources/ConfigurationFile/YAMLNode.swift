/// A piece of a YAML document and where it begins.
struct YAMLNode {
    /// What the piece is.
    enum Content {
        /// A text, and whether it stands without quotes.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([(key: YAMLNode, value: YAMLNode)])
        /// What is no part of the language; the fault is noted already.
        case refused
    }

    let content: Content
    /// Both counted from 1; columns in characters.
    let line: Int32
    let column: Int32
    /// False for a list or a mapping in which a syntax error stands: what comes behind the error is not in it.
    var isWhole = true

    /// Whether nothing stands here: `key:` alone, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// The kind in words, for faults.
    var kindName: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        case .refused: "something else"
        }
    }
}
