internal import CDigest
import Glibc
internal import Rules

extension Configuration {
    /// The largest file that is read, in bytes.
    public static let maximumFileSize = 16 << 20

    /// Reads a configuration file and `conf.d/*.yaml` beside it, in the order of their names.
    ///
    /// - Throws: every fault of all files. A file that is not there or cannot be read is one.
    public static func load(path: String) throws(ConfigurationFaults) -> LoadedConfiguration {
        var faults: [Fault] = []
        var texts: [ConfigurationText] = []
        for path in [path] + fragments(beside: path) {
            switch read(path) {
            case .success(let bytes): texts.append(ConfigurationText(path: path, bytes: bytes))
            case .failure(let fault): faults.append(fault)
            }
        }
        guard faults.isEmpty else { throw ConfigurationFaults(faults) }
        return try load(texts)
    }

    /// Reads configuration files that are in memory.
    ///
    /// - Throws: every fault of all of them.
    public static func load(_ texts: [ConfigurationText]) throws(ConfigurationFaults) -> LoadedConfiguration {
        var decoder = ConfigurationDecoder()
        for text in texts {
            do throws(Fault) {
                try checkText(text)
                if let root = try YAMLReader.read(text) { decoder.decode(root, file: text.path) }
            } catch {
                decoder.faults.add(error)
            }
        }
        decoder.checkNames()
        decoder.checkMarks()
        let faults = decoder.faults.sorted(texts.map(\.path))
        guard faults.isEmpty else { throw ConfigurationFaults(faults) }
        return LoadedConfiguration(configuration: decoder.configuration, files: texts, sha256: sha256(texts))
    }

    // MARK: - Files

    private static func fragments(beside path: String) -> [String] {
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let directory = parent + "conf.d"
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name.hasSuffix(".yaml"), !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { "\(directory)/\($0)" }
    }

    private static func read(_ path: String) -> Result<[UInt8], Fault> {
        func failure(_ problem: String, _ expected: String) -> Result<[UInt8], Fault> {
            .failure(
                Fault(position: SourcePosition(file: path, line: 1, column: 1), path: "", problem: problem, expected: expected))
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return failure("cannot be opened: \(String(cString: strerror(errno)))", "a readable file") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= maximumFileSize {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { return failure("cannot be read: \(String(cString: strerror(errno)))", "a readable file") }
            if count == 0 { return .success(bytes) }
            bytes.append(contentsOf: chunk[..<count])
        }
        return .success(bytes)
    }

    private static func checkText(_ text: ConfigurationText) throws(Fault) {
        func fault(line: Int, _ problem: String, _ expected: String) -> Fault {
            Fault(
                position: SourcePosition(file: text.path, line: line, column: 1), path: "", problem: problem, expected: expected)
        }
        guard text.bytes.count <= maximumFileSize else {
            throw fault(line: 1, "the file is larger than 16 MiB", "a smaller file, or several in conf.d")
        }
        guard String(validating: text.bytes, as: UTF8.self) == nil else { return }
        // A line feed is part of no other character, so lines can be judged one by one.
        let lines = text.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let line = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
        throw fault(line: line + 1, "the line is not UTF-8", "text in UTF-8")
    }

    private static func sha256(_ texts: [ConfigurationText]) -> String {
        var context = SHA2_CTX()
        SHA256Init(&context)
        for text in texts {
            // Names and lengths too, so that a line cannot move from one file into the next unseen.
            let name = text.path.split(separator: "/").last.map(String.init) ?? text.path
            let head = Array("\(name)\0\(text.bytes.count)\0".utf8)
            SHA256Update(&context, head, head.count)
            SHA256Update(&context, text.bytes, text.bytes.count)
        }
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256Final(&digest, &context)
        return digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}

extension ConfigurationDecoder {
    /// Notes names that stand twice: among what marks, and among what translates.
    mutating func checkNames() {
        func check(_ kind: String, _ named: [(name: String, position: SourcePosition)]) {
            var first: [String: SourcePosition] = [:]
            for (name, position) in named {
                if let earlier = first[name] {
                    faults.add(
                        Fault(
                            position: position, path: name, problem: "two \(kind) have the name \"\(name)\"; the other is at \(earlier)",
                            expected: "a name of its own for each"))
                } else {
                    first[name] = position
                }
            }
        }
        check("services", configuration.allServices.map { ($0.name, $0.position) })
        check("masquerades", configuration.allMasquerades.map { ($0.name, $0.position) })
    }

    /// Notes services that would give one packet two different marks.
    mutating func checkMarks() {
        let services = configuration.allServices
        for (later, earlier) in MarkConflicts.find(in: services) {
            let (one, other) = (services[later], services[earlier])
            faults.add(
                Fault(
                    position: one.position, path: one.name,
                    problem: "mark \(one.mark) meets packets that \(other.name) at \(other.position) gives mark \(other.mark)",
                    expected: "addresses, ports or interfaces that do not overlap, one mark for both, or masks that do not touch"))
        }
    }
}
