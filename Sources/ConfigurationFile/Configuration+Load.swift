// SPDX-License-Identifier: GPL-2.0-or-later
import Rules
package import SystemCalls

extension Configuration {
    /// The largest file that is read, in bytes.
    package static let maximumFileSize = 16 << 20
    /// How many bytes all files may have together.
    package static let maximumTotalSize = 64 << 20

    /// Reads a configuration file and `conf.d/*.yaml` beside it, in the order of their names.
    ///
    /// - Parameters:
    ///   - others: more files, read as if they were in `conf.d`.
    ///   - known: what an earlier reading gave. Where little has changed since, only that is read; what comes of it is the same.
    /// - Throws: all errors of all files. A file that is not there or cannot be read is one.
    package static func load(
        path: String, with others: [AdditionalFile] = [], knowing known: LoadedConfiguration? = nil
    ) throws(ConfigurationErrors) -> LoadedConfiguration {
        var draft = ConfigurationDraft()
        var warnings: [String] = []
        let fragments = fragments(beside: path, &draft, &warnings)
        let paths = [path] + AdditionalFile.merge(fragments, others)
        var texts: [ConfigurationText] = []
        var total = 0
        for path in paths {
            do throws(SystemError) {
                let bytes = try RegularFile.read(path, limit: maximumFileSize)
                total += bytes.count
                if total > maximumTotalSize {
                    draft.add(path, "the files are larger than 64 MiB together")
                    break
                }
                texts.append(ConfigurationText(path: path, bytes: bytes))
            } catch {
                let isMain = error.isMissing && path == paths.first
                draft.add(
                    path,
                    isMain
                        ? "does not exist: write it (see: man fwmarkd.yaml), or name another with --config"
                        : refusal(of: path, error))
            }
        }
        return try load(texts, draft, paths, warnings, knowing: known)
    }

    /// Reads configuration files that are in memory.
    ///
    /// - Parameter known: what an earlier reading gave; see `load(path:with:knowing:)`.
    /// - Throws: all errors of all of them.
    package static func load(
        _ texts: [ConfigurationText], knowing known: LoadedConfiguration? = nil
    ) throws(ConfigurationErrors) -> LoadedConfiguration {
        try load(texts, ConfigurationDraft(), texts.map(\.path), [], knowing: known)
    }

    private static func load(
        _ texts: [ConfigurationText], _ begun: consuming ConfigurationDraft, _ paths: [String], _ warnings: [String],
        knowing known: LoadedConfiguration?
    ) throws(ConfigurationErrors) -> LoadedConfiguration {
        if let known, begun.errors.count == 0, let draft = Rereading.draft(of: texts, knowing: known) {
            return LoadedConfiguration(draft, files: texts, warnings: warnings)
        }
        var draft = begun
        for text in texts {
            draft.begin(text)
            draft = ConfigurationDecoder.decode(text, into: draft)
        }
        draft.check()
        if let errors = draft.errors.sorted(paths) { throw errors }
        return LoadedConfiguration(draft, files: texts, warnings: warnings)
    }

    // MARK: - conf.d

    /// The paths of `conf.d/*.yaml`. Other files there are warned of, except hidden ones.
    private static func fragments(
        beside path: String, _ draft: inout ConfigurationDraft, _ warnings: inout [String]
    ) -> [String] {
        let directory = directory(beside: path)
        var paths: [String] = []
        do throws(SystemError) {
            let names = try FragmentNames(in: directory)
            warnings += names.ignored.map {
                "\(directory)/\(printable($0)) is not read: files in conf.d have names that end in .yaml"
            }
            for name in names.read {
                if let name = String(validating: name, as: UTF8.self) {
                    paths.append("\(directory)/\(name)")
                } else {
                    draft.add("\(directory)/\(printable(name))", "the file's name is not UTF-8")
                }
            }
        } catch {
            if !error.isMissing { draft.add(directory, refusal(of: directory, error)) }
        }
        return paths
    }

    /// The path of `conf.d` beside the file.
    static func directory(beside path: String) -> String { (path.lastIndex(of: "/").map { String(path[...$0]) } ?? "") + "conf.d" }

    /// Why a file or directory cannot be read, and what to type where its mode is what is in the way.
    private static func refusal(of path: String, _ error: SystemError) -> String {
        guard let denied = DeniedAccess(reading: path) else { return "cannot be read: \(error.reasonText)" }
        return "cannot be read: \(error.reasonText); type: \(denied.command)"
    }
}

extension DeniedAccess {
    /// The command that lets this process's user read.
    package var command: String { "chmod \(mode) \(ChainName.shellWord(path.utf8))" }
}

extension ConfigurationDraft {
    /// Notes an error of a file as a whole.
    mutating func add(_ path: String, _ message: String) {
        if errors.counts() { errors.keep(SourcePosition(file: path, line: 1, column: 1), path: "", message) }
    }
}
