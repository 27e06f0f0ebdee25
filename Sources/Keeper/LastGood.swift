import API
package import ConfigurationFile
import FoundationEssentials
import Glibc

/// The last configuration that was put into the kernel, kept for a boot at which the file is missing or bad.
package struct LastGood: Sendable {
    /// The file that holds it.
    package let path: String

    /// Kept in the directory, which has to exist.
    package init(stateDirectory: String) { path = stateDirectory + "/last-good.json" }

    /// Why the kept configuration cannot be used or written.
    package struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        /// What happened, to which file, for the person at the terminal.
        package let description: String
        /// Whether there simply is none.
        package let isMissing: Bool

        init(_ description: String, isMissing: Bool = false) {
            self.description = description
            self.isMissing = isMissing
        }
    }

    /// What the file holds: the texts of all configuration files, and the digest that shows damage.
    private struct Contents: Codable {
        struct File: Codable {
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
    /// - Throws: when there is none, or it is cut off or altered, or is no configuration (any more).
    package func load() throws(Failure) -> LoadedConfiguration {
        let contents: Contents
        do {
            contents = try JSON.decode(Contents.self, from: try read())
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("\(path) is damaged: it does not hold what fwmarkd wrote; the next good reload writes it anew")
        }
        guard contents.format == LastGood.format else {
            throw Failure("\(path) has the format \(contents.format), and this version knows \(LastGood.format)")
        }
        let texts = contents.files.map { ConfigurationText(path: $0.path, bytes: Array($0.text.utf8)) }
        let loaded: LoadedConfiguration
        do {
            loaded = try Configuration.load(texts)
        } catch {
            throw Failure("\(path) holds a configuration that this version refuses: \(error)")
        }
        guard loaded.sha256 == contents.sha256 else {
            throw Failure("\(path) is damaged: its digest does not fit its contents; the next good reload writes it anew")
        }
        return loaded
    }

    /// Writes it: whole or not at all, and on the disk when this returns.
    package func save(_ configuration: LoadedConfiguration) throws(Failure) {
        let files = configuration.files.map { Contents.File(path: $0.path, text: String(decoding: $0.bytes, as: UTF8.self)) }
        let bytes = JSON.encode(Contents(format: LastGood.format, sha256: configuration.sha256, files: files))
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("opening", temporary) }
        do throws(Failure) {
            defer { close(descriptor) }
            var written = 0
            while written < bytes.count {
                let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                guard count >= 0 || errno == EINTR else { throw failure("writing", temporary) }
                written += max(count, 0)
            }
            guard fsync(descriptor) == 0 else { throw failure("writing", temporary) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else { throw failure("renaming", temporary) }
        // The name, too, is to outlive a power cut.
        let directory = open(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }

    private func read() throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? Failure("there is no \(path) yet", isMissing: true) : failure("opening", path)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { throw failure("reading", path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    private func failure(_ doing: String, _ path: String) -> Failure {
        Failure("\(doing) \(path): \(String(cString: strerror(errno)))")
    }
}
