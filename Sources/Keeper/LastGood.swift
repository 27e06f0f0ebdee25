// SPDX-License-Identifier: GPL-2.0-or-later
import API
package import ConfigurationFile
import Glibc
import SystemCalls

/// The last configuration that was put into the kernel, kept for a boot at which the file is missing or refused.
package struct LastGood: Sendable {
    /// The largest file that is read: all configuration files as JSON.
    private static let sizeLimit = 256 << 20

    /// The file that holds it.
    package let path: String

    private let directory: String

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
        let files = configuration.files.map { Contents.File(path: $0.path, text: String(decoding: $0.bytes, as: UTF8.self)) }
        let bytes = JSON.encode(Contents(format: LastGood.format, sha256: configuration.filesSHA256, files: files))
        do throws(SystemError) {
            _ = try Directory.own(directory, mode: 0o700)
            try RegularFile.replace(path, with: bytes, mode: 0o600)
        } catch {
            throw Failure(error.description)
        }
    }
}
