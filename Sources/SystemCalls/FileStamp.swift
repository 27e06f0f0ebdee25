// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// What tells one state of a file from another without reading it: which file it is, how long, and when it was last written.
package struct FileStamp: Sendable, Hashable {
    /// When the file was last written, in seconds since 1970.
    package let modified: Double
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let nanoseconds: Int64

    /// The state of what is at the path, a symbolic link followed; nil if there is nothing, or this process may not know.
    package init?(_ path: String) {
        guard let status = try? FileStatus.of(path) else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        nanoseconds = Int64(status.st_mtim.tv_nsec)
        modified = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
    }
}
