// SPDX-License-Identifier: GPL-2.0-or-later
import API
package import ConfigurationFile
import Glibc
import Synchronization
import SystemCalls

/// The last configuration that was put into the kernel, kept for a boot at which the file is missing or refused.
package struct LastGood: Sendable {
    /// The largest file that is read: all configuration files as JSON.
    private static let sizeLimit = 256 << 20

    /// The file that holds it.
    package let path: String

    private let directory: String
    /// The digest of the files that are staged: written, and not yet in force.
    private let staged = Staged()

    /// Kept in the directory, which is made when it is first needed.
    package init(stateDirectory: String) {
        directory = stateDirectory
        path = stateDirectory + "/last-good.json"
    }

    /// Why the kept configuration cannot be used or written.
    package struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        /// What happened, to which file, for the person at the terminal.
        package let description: String
        /// Whether there simply is none.
        package let isMissing: Bool

        init(_ description: String, isMissing: Bool = false) {
            (self.description, self.isMissing) = (description, isMissing)
        }
    }

    /// What the file holds: the texts of all configuration files, and the digest that shows damage.
    private struct Contents: Decodable {
        struct File: Decodable {
            var path: String
            var text: String
        }

        var format: Int
        var sha256: String
        var files: [File]
    }

    private static let format = 1

    /// Reads it back.
    ///
    /// - Throws: when there is none, or it is cut off or altered, or is no longer a configuration.
    package func load() throws(Failure) -> LoadedConfiguration {
        let bytes: [UInt8]
        do throws(SystemError) {
            // What another user keeps there is not what this daemon wrote.
            _ = try Directory.openOwn(directory)
            bytes = try RegularFile.read(path, limit: LastGood.sizeLimit)
        } catch {
            throw error.isMissing ? Failure("there is no \(path) yet", isMissing: true) : Failure(error.description)
        }
        guard let contents = try? JSON.decode(Contents.self, from: bytes) else {
            throw Failure("\(path) is damaged: it does not hold what fwmarkd wrote; the next successful reload writes a new one")
        }
        guard contents.format == LastGood.format else {
            throw Failure("\(path) has the format \(contents.format), and this version knows \(LastGood.format)")
        }
        let texts = contents.files.map { ConfigurationText(path: $0.path, bytes: Array($0.text.utf8)) }
        let loaded: LoadedConfiguration
        do throws(ConfigurationErrors) {
            loaded = try Configuration.load(texts)
        } catch {
            throw Failure("\(path) holds a configuration that this version refuses: \(error)")
        }
        guard loaded.filesSHA256 == contents.sha256 else {
            throw Failure("\(path) is damaged: its digest does not match its contents; the next successful reload writes a new one")
        }
        return loaded
    }

    /// Writes it: whole or not at all, and on the disk when this returns.
    package func save(_ configuration: LoadedConfiguration) throws(Failure) {
        do throws(SystemError) {
            if staged.take() != configuration.filesSHA256 { try write(configuration) }
            try RegularFile.install(path)
        } catch {
            throw Failure(error.description)
        }
    }

    /// Writes all but its name, for a `save` that is likely to come. An error is left to that.
    package func stage(_ configuration: LoadedConfiguration) {
        if (try? write(configuration)) != nil { staged.put(configuration.filesSHA256) }
    }

    /// Takes away what was written for a configuration that the kernel then refused.
    package func discardStaged() {
        if staged.take() != nil { RegularFile.discardStaged(path) }
    }

    private func write(_ configuration: LoadedConfiguration) throws(SystemError) {
        let bytes = LastGood.contents(configuration)
        _ = try Directory.own(directory, mode: 0o700)
        try RegularFile.stage(path, bytes, mode: 0o600)
    }

    private final class Staged: Sendable {
        private let digest = Mutex<String?>(nil)
        func put(_ digest: String) { self.digest.withLock { $0 = digest } }
        func take() -> String? { digest.withLock { $0.take() } }
    }

    /// The contents as JSON.
    private static func contents(_ configuration: LoadedConfiguration) -> [UInt8] {
        var json = Array("{\"files\":[".utf8)
        json.reserveCapacity(configuration.files.reduce(256) { $0 + $1.bytes.count * 9 / 8 })
        for (number, file) in configuration.files.enumerated() {
            json += number == 0 ? "{\"path\":".utf8 : ",{\"path\":".utf8
            append(Array(file.path.utf8), to: &json)
            json += ",\"text\":".utf8
            append(file.bytes, to: &json)
            json.append(UInt8(ascii: "}"))
        }
        json += "],\"format\":\(format),\"sha256\":\"\(configuration.filesSHA256)\"}".utf8
        return json
    }

    /// Appends a text as a string of JSON (RFC 8259, section 7).
    private static func append(_ text: [UInt8], to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        var rest = text[...]
        while let special = rest.firstIndex(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) {
            json += rest[..<special]
            switch rest[special] {
            case UInt8(ascii: "\n"): json += "\\n".utf8
            case UInt8(ascii: "\t"): json += "\\t".utf8
            case UInt8(ascii: "\r"): json += "\\r".utf8
            // Others can be in a path alone.
            case let byte where byte < 0x20: json += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
            case let byte: json += [UInt8(ascii: "\\"), byte]
            }
            rest = rest[(special + 1)...]
        }
        json += rest
        json.append(UInt8(ascii: "\""))
    }
}
