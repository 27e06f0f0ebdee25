import Rules

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

    /// How many there were, those included that are not kept.
    var count: Int { faults.count + dropped }

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
        var fault = fault
        fault.path = fault.path.onOneLine
        fault.problem = fault.problem.onOneLine
        fault.expected = fault.expected.onOneLine
        faults.append(fault)
    }

    func position(_ node: YAMLNode) -> SourcePosition {
        SourcePosition(file: file, line: Int(node.line), column: Int(node.column))
    }

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
            return (order[l.file] ?? files.count, l.line, l.column) < (order[r.file] ?? files.count, r.line, r.column)
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

extension String {
    /// The text as a terminal can show it in one line: control characters and the like written out, the middle of a long one left
    /// out. A fault quotes what stands in the file, and that may be anything.
    var onOneLine: String {
        let limit = 300
        if utf8.count <= limit, utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return self }
        var scalars = Array(unicodeScalars)
        if scalars.count > limit { scalars.replaceSubrange(limit / 2..<scalars.count - limit / 2, with: ["…"]) }
        var text = ""
        for scalar in scalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
                text += scalar.escaped(asASCII: true)
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
