// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// Which file it is: a path may name another one a moment later.
package struct FileIdentity: Sendable, Hashable {
    private let device: UInt64
    private let inode: UInt64

    private init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    /// What is at the path now, a symbolic link itself; nil if there is nothing.
    package init?(_ path: String) {
        guard let status = try? FileStatus.of(path, followingLinks: false) else { return nil }
        self.init(status)
    }

    /// What is open.
    package init(_ descriptor: borrowing Descriptor, _ path: String) throws(SystemError) {
        self.init(try descriptor.status(path))
    }
}
