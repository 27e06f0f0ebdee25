// SPDX-License-Identifier: GPL-2.0-or-later
package import Glibc

/// An open descriptor, closed when the value goes.
package struct Descriptor: ~Copyable {
    /// Its number.
    package let number: CInt

    /// Takes over a descriptor that nothing else closes.
    package init(owning number: CInt) { self.number = number }

    deinit { close(number) }

    /// Opens a path; `O_CLOEXEC` is added.
    ///
    /// - Parameter mode: the mode of a file that this makes, cut by the umask.
    package init(opening path: String, _ flags: CInt, mode: mode_t = 0o600) throws(SystemError) {
        number = try systemCall("opening \(path)") { open(path, flags | O_CLOEXEC, mode) }
    }

    /// Opens a name in a directory; `O_CLOEXEC` is added.
    package init(
        opening name: String, in directory: borrowing Descriptor, _ flags: CInt, mode: mode_t = 0o600
    ) throws(SystemError) {
        let directory = directory.number
        number = try systemCall("opening \(name)") { openat(directory, name, flags | O_CLOEXEC, mode) }
    }

    /// The number, which the caller closes from now on.
    package consuming func release() -> CInt {
        let number = number
        discard self
        return number
    }

    /// What fstat(2) says.
    package func status(_ path: String) throws(SystemError) -> stat {
        var status = stat()
        try systemCall("examining \(path)") { fstat(number, &status) }
        return status
    }

    /// Reads to the end, or until `limit` bytes were read.
    ///
    /// - Parameter expected: how many bytes there are likely to be.
    package func read(upTo limit: Int, _ path: String, expecting expected: Int = 0) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(max(expected, 0), limit))
        var chunk = [UInt8](repeating: 0, count: min(max(limit, 1), 1 << 16))
        while bytes.count < limit {
            let wanted = min(chunk.count, limit - bytes.count)
            let count = try systemCall("reading \(path)") { Glibc.read(number, &chunk, wanted) }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    /// Writes all of the bytes.
    package func write(_ bytes: [UInt8], _ path: String) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            written += try systemCall("writing \(path)") {
                bytes[written...].withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            }
        }
    }
}
