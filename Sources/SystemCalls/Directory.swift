// SPDX-License-Identifier: GPL-2.0-or-later
package import Glibc

/// Listing directories, and making those that belong to this process's user alone.
package enum Directory {
    /// The names in a directory, as bytes, without `.` and `..`, in the order of their bytes.
    package static func names(in path: String) throws(SystemError) -> [[UInt8]] {
        guard let stream = opendir(path) else { throw SystemError(errnoOf: "opening \(path)") }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw SystemError(errnoOf: "reading \(path)") }
                break
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Opens a directory of this process's user, and makes it if there is none; its parent has to exist.
    ///
    /// - Parameter mode: the mode of a directory that this makes.
    /// - Throws: `untrusted` where it belongs to another user or others may write to it, `wrongKind` where it is none or a symbolic
    ///   link, otherwise errno.
    package static func own(_ path: String, mode: mode_t) throws(SystemError) -> Descriptor {
        // Not by mkdir alone, whose mode the umask cuts.
        if mkdir(path, 0o700) == 0 {
            try systemCall("making the directory \(path)") { chmod(path, mode) }
        } else if errno != EEXIST {
            throw SystemError(errnoOf: "making the directory \(path)")
        }
        return try openOwn(path)
    }

    /// Opens a directory of this process's user.
    ///
    /// - Throws: as `own` does, and where there is none.
    package static func openOwn(_ path: String) throws(SystemError) -> Descriptor {
        let kind = FileStatus.kind(try FileStatus.of(path, followingLinks: false))
        guard kind == .directory else {
            throw SystemError("using the directory \(path)", .wrongKind("\(kind.text), not a directory"))
        }
        let directory = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        let status = try directory.status(path)
        guard status.st_uid == geteuid() else {
            throw SystemError(
                "using the directory \(path)", .untrusted("it belongs to user \(status.st_uid), not to user \(geteuid())"))
        }
        guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
            throw SystemError("using the directory \(path)", .untrusted("others may write to it"))
        }
        return directory
    }

    /// Opens a file of this process's user in such a directory, to read and write it, and makes it if there is none.
    ///
    /// - Throws: `untrusted` where it belongs to another user, `wrongKind` where it is not a regular file, otherwise errno.
    package static func ownFile(_ name: String, in directory: borrowing Descriptor) throws(SystemError) -> Descriptor {
        let file = try Descriptor(opening: name, in: directory, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK)
        let status = try file.status(name)
        let kind = FileStatus.kind(status)
        guard kind == .regular else { throw SystemError("opening \(name)", .wrongKind("\(kind.text), not a regular file")) }
        guard status.st_uid == geteuid() else {
            throw SystemError("opening \(name)", .untrusted("it belongs to user \(status.st_uid), not to user \(geteuid())"))
        }
        return file
    }

    /// The directory that a path is in: `.` for a name alone.
    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
