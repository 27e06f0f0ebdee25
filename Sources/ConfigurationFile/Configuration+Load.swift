import CDigest
import Glibc
import Rules

extension Configuration {
    /// The largest file that is read, in bytes.
    package static let maximumFileSize = 16 << 20

    /// Reads a configuration file and `conf.d/*.yaml` beside it, in the order of their names.
    ///
    /// - Throws: every fault of all files. A file that is not there or cannot be read is one.
    package static func load(path: String) throws(ConfigurationFaults) -> LoadedConfiguration {
        var (paths, faults) = ([path], [Fault]())
        switch fragments(beside: path) {
        case .success(let fragments): paths += fragments
        case .failure(let fault): faults.append(fault)
        }
        var texts: [ConfigurationText] = []
        for path in paths {
            switch read(path) {
            case .success(let bytes): texts.append(ConfigurationText(path: path, bytes: bytes))
            case .failure(let fault): faults.append(fault)
            }
        }
        return try load(texts, faults, paths: paths)
    }

    /// Reads configuration files that are in memory.
    ///
    /// - Throws: every fault of all of them.
    package static func load(_ texts: [ConfigurationText]) throws(ConfigurationFaults) -> LoadedConfiguration {
        try load(texts, [], paths: texts.map(\.path))
    }

    private static func load(
        _ texts: [ConfigurationText], _ faults: [Fault], paths: [String]
    ) throws(ConfigurationFaults) -> LoadedConfiguration {
        var decoder = ConfigurationDecoder()
        for fault in faults { decoder.faults.add(fault) }
        for text in texts {
            var faults = text.check()
            if faults.isEmpty {
                let (root, found) = YAMLReader.read(text)
                if let root { decoder.decode(root, file: text.path) }
                faults = found
            }
            for fault in faults { decoder.faults.add(fault) }
        }
        decoder.checkNames()
        decoder.checkMarks()
        guard decoder.faults.count == 0 else { throw ConfigurationFaults(decoder.faults.sorted(paths)) }
        return LoadedConfiguration(configuration: decoder.configuration, files: texts, sha256: sha256(texts))
    }

    // MARK: - Files

    private static func fragments(beside path: String) -> Result<[String], Fault> {
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let directory = parent + "conf.d"
        guard let stream = opendir(directory) else {
            return errno == ENOENT
                ? .success([]) : .failure(failure(directory, "cannot be opened", "a directory with files, or none"))
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { return .failure(failure(directory, "cannot be read", "a readable directory")) }
                break
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name.hasSuffix(".yaml"), !name.hasPrefix(".") { names.append(name) }
        }
        return .success(names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { "\(directory)/\($0)" })
    }

    private static func read(_ path: String) -> Result<[UInt8], Fault> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(failure(path, "cannot be opened", "a readable file")) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        // One byte more than a file may have shows that it has too many.
        while bytes.count <= maximumFileSize {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failure(failure(path, "cannot be read", "a readable file")) }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return .success(bytes)
    }

    /// What errno says of a file as a whole.
    private static func failure(_ path: String, _ what: String, _ expected: String) -> Fault {
        let reason = String(cString: strerror(errno))
        return Fault(
            position: SourcePosition(file: path, line: 1, column: 1), path: "", problem: "\(what): \(reason)", expected: expected)
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
