// SPDX-License-Identifier: GPL-2.0-or-later
package import Glibc

/// Reading and replacing regular files, in bounded time and memory.
package enum RegularFile {
    /// Reads a regular file whole.
    ///
    /// Never waits for another program: a FIFO, a device, a socket or a directory is refused without being read.
    ///
    /// - Parameter limit: how many bytes the file may have.
    /// - Throws: `wrongKind` for anything but a regular file, `tooLarge` for one over the limit, otherwise errno.
    package static func read(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        // Before it is opened: opening a device can have effects.
        try check(FileStatus.of(path), path)
        let file = try Descriptor(opening: path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        // Another one may have come there since.
        let status = try file.status(path)
        try check(status, path)
        let bytes = try file.read(upTo: limit + 1, path, expecting: Int(status.st_size))
        guard bytes.count <= limit else { throw SystemError("reading \(path)", .tooLarge(limit: limit)) }
        return bytes
    }

    /// Replaces a file, or makes it: at any time it is whole, with the old contents or the new. On the disk when this returns.
    ///
    /// What is at `path` before, a symbolic link or a FIFO, is replaced and not followed.
    package static func replace(_ path: String, with bytes: [UInt8], mode: mode_t) throws(SystemError) {
        try stage(path, bytes, mode: mode)
        try install(path)
    }

    /// Writes what is to replace a file beside it; on the disk when this returns.
    package static func stage(_ path: String, _ bytes: [UInt8], mode: mode_t) throws(SystemError) {
        let temporary = path + ".new"
        // Left over from a crash, or put there by another program.
        unlink(temporary)
        do throws(SystemError) {
            let file = try Descriptor(opening: temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
            try systemCall("writing \(temporary)") { fchmod(file.number, mode) }
            try file.write(bytes, temporary)
            try systemCall("writing \(temporary)") { fsync(file.number) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Replaces a file by what was staged for it.
    package static func install(_ path: String) throws(SystemError) {
        let temporary = path + ".new"
        do throws(SystemError) {
            try systemCall("renaming \(temporary)") { rename(temporary, path) }
        } catch {
            unlink(temporary)
            throw error
        }
        // The name, too, is to outlive a power cut.
        let directory = try Descriptor(opening: Directory.parent(of: path), O_RDONLY | O_DIRECTORY)
        try systemCall("writing \(Directory.parent(of: path))") { fsync(directory.number) }
    }

    /// Takes away what was staged for a file.
    package static func discardStaged(_ path: String) { unlink(path + ".new") }

    private static func check(_ status: stat, _ path: String) throws(SystemError) {
        let kind = FileStatus.kind(status)
        guard kind == .regular else { throw SystemError("reading \(path)", .wrongKind("\(kind.text), not a regular file")) }
    }
}

/// The status of a path, by stat(2).
enum FileStatus {
    enum Kind: Sendable, Hashable {
        case regular, directory, symbolicLink, fifo, socket, device, other

        /// The kind with its article.
        var text: String {
            switch self {
            case .regular: "a regular file"
            case .directory: "a directory"
            case .symbolicLink: "a symbolic link"
            case .fifo: "a FIFO"
            case .socket: "a socket"
            case .device: "a device"
            case .other: "something else"
            }
        }
    }

    static func of(_ path: String, followingLinks: Bool = true) throws(SystemError) -> stat {
        var status = stat()
        try systemCall("opening \(path)") { followingLinks ? stat(path, &status) : lstat(path, &status) }
        return status
    }

    static func kind(_ status: stat) -> Kind {
        switch status.st_mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        case S_IFIFO: .fifo
        case S_IFSOCK: .socket
        case S_IFCHR, S_IFBLK: .device
        default: .other
        }
    }
}
