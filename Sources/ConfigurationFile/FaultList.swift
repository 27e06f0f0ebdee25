internal import Rules

/// Faults as they are found, with the way to the value that is being read.
struct FaultList {
    /// One step of the way from the file's root to a value.
    enum Step {
        case key(String)
        case index(Int)
    }

    /// How many faults are kept; a file that is no configuration at all would give one for every line.
    static let limit = 1000

    var file = ""
    var path: [Step] = []
    private(set) var faults: [Fault] = []
    private var dropped = 0

    mutating func add(_ node: YAMLNode, _ problem: String, expected: String) {
        add(Fault(position: position(node), path: pathText, problem: problem, expected: expected))
    }

    mutating func add(_ node: YAMLNode, _ invalid: InvalidValue) {
        add(node, invalid.problem, expected: invalid.expected)
    }

    mutating func add(_ fault: Fault) {
        guard faults.count < FaultList.limit else {
            dropped += 1
            return
        }
        faults.append(fault)
    }

    func position(_ node: YAMLNode) -> SourcePosition { SourcePosition(file: file, line: node.line, column: node.column) }

    private var pathText: String {
        var text = ""
        for step in path {
            switch step {
            case .key(let key): text += text.isEmpty ? key : "." + key
            case .index(let index): text += "[\(index)]"
            }
        }
        return text
    }

    /// All faults in the order of files and lines.
    func sorted(_ files: [String]) -> [Fault] {
        let order = Dictionary(zip(files, files.indices), uniquingKeysWith: { first, _ in first })
        var result = faults.sorted { left, right in
            let (l, r) = (left.position, right.position)
            return (order[l.file] ?? 0, l.line, l.column) < (order[r.file] ?? 0, r.line, r.column)
        }
        if dropped > 0, let last = result.last {
            result.append(
                Fault(
                    position: last.position, path: "", problem: "\(dropped) more faults are not shown",
                    expected: "a file in the language of fwmarkd.yaml(5)"))
        }
        return result
    }
}
