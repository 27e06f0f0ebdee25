// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// What keeps this process's user from reading a file: the file itself, or a directory on the way to it.
package struct DeniedAccess: Sendable, Hashable {
    /// The file or directory whose mode denies it.
    package let path: String
    /// What chmod(1) has to be told: `o+r`.
    package let mode: String

    /// What denies reading the file, or listing the directory; nil if nothing does. What does not exist denies nothing.
    package init?(reading path: String) {
        for (index, byte) in path.utf8.enumerated() where byte == UInt8(ascii: "/") && index > 0 {
            let directory = String(decoding: path.utf8.prefix(index), as: UTF8.self)
            if DeniedAccess.isDenied(directory, X_OK) {
                (self.path, mode) = (directory, DeniedAccess.whom(directory) + "+x")
                return
            }
        }
        guard DeniedAccess.isDenied(path, R_OK) else { return nil }
        let isDirectory = (try? FileStatus.of(path)).map { FileStatus.kind($0) == .directory } ?? false
        (self.path, mode) = (path, DeniedAccess.whom(path) + (isDirectory ? "+rx" : "+r"))
    }

    /// By the rights of the user that the process acts as.
    private static func isDenied(_ path: String, _ wanted: CInt) -> Bool {
        faccessat(AT_FDCWD, path, wanted, AT_EACCESS) != 0 && errno == EACCES
    }

    /// Whose bits of the mode count for this process: its owner's, its group's or others'.
    private static func whom(_ path: String) -> String {
        guard let status = try? FileStatus.of(path) else { return "o" }
        return status.st_uid == geteuid() ? "u" : status.st_gid == getegid() ? "g" : "o"
    }
}
