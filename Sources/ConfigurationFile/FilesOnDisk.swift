// SPDX-License-Identifier: GPL-2.0-or-later
import Rules
package import SystemCalls

/// The configuration's files as they are on the disk at one moment, without their contents.
package struct FilesOnDisk: Sendable, Hashable {
    /// Files in `conf.d` that are not read because of their names.
    package let ignored: [String]
    /// What keeps this process's user from reading them; nil if nothing does.
    package let denied: DeniedAccess?
    private let stamps: [String: FileStamp]

    /// The file at the path, and those of `conf.d` beside it.
    package init(of path: String) {
        let directory = Configuration.directory(beside: path)
        let names = try? FragmentNames(in: directory)
        let files = [path] + (names?.read ?? []).map { "\(directory)/\(String(decoding: $0, as: UTF8.self))" }
        ignored = (names?.ignored ?? []).map { "\(directory)/\(printable($0))" }
        denied = (files + [directory]).lazy.compactMap { DeniedAccess(reading: $0) }.first
        stamps = Dictionary(files.compactMap { file in FileStamp(file).map { (file, $0) } }) { first, _ in first }
    }

    /// When the latest of the files was written that is not as it was at an earlier moment, in seconds since 1970; nil if all are as
    /// they were. A file that has gone since shows by its absence alone: then the result is `now`.
    package func change(since earlier: FilesOnDisk, now: Double) -> Double? {
        guard stamps != earlier.stamps else { return nil }
        return stamps.filter { earlier.stamps[$0.key] != $0.value }.map(\.value.modified).max() ?? now
    }
}

/// The names in `conf.d`, hidden ones left out.
struct FragmentNames {
    /// Those that are read, in their order.
    private(set) var read: [[UInt8]] = []
    /// Those that are not, because they do not end in `.yaml`.
    private(set) var ignored: [[UInt8]] = []

    /// The names in this directory.
    init(in directory: String) throws(SystemError) {
        for name in try Directory.names(in: directory) where name.first != UInt8(ascii: ".") {
            if name.suffix(5).elementsEqual(".yaml".utf8) { read.append(name) } else { ignored.append(name) }
        }
    }
}
