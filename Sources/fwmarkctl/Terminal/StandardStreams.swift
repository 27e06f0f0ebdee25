// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import SystemCalls

/// Standard output.
enum StandardOutput {
    /// Writes the text, whole.
    static func write(_ text: String) throws(Failure) { try write(Array(text.utf8)) }

    /// Writes the bytes, whole.
    ///
    /// Where the reader of a pipe has gone away, the process ends by SIGPIPE as it does by default (NIO ignores the signal).
    static func write(_ bytes: [UInt8]) throws(Failure) {
        let number = writeAll(bytes, to: STDOUT_FILENO)
        if number == EPIPE {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        }
        guard number == 0 else { throw Failure(.failure, "writing to standard output: \(SystemError.text(errno: number))") }
    }
}

/// Standard error.
enum StandardError {
    /// Writes the lines. Nothing can be done where that fails.
    static func write(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        _ = writeAll(Array((lines.joined(separator: "\n") + "\n").utf8), to: STDERR_FILENO)
    }

    /// Writes a note that is no error.
    static func note(_ message: String) { write(["fwmarkctl: \(message)"]) }
}

/// Writes all bytes; returns errno, or 0.
private func writeAll(_ bytes: [UInt8], to descriptor: CInt) -> CInt {
    bytes.withUnsafeBytes { buffer in
        var rest = buffer[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                return errno
            }
            rest = rest.dropFirst(count)
        }
        return 0
    }
}

/// Standard input.
enum StandardInput {
    /// All of it, up to its end and at most a gibibyte.
    static func readAll() throws(SystemError) -> [UInt8] {
        let number = try systemCall("reading standard input") { dup(STDIN_FILENO) }
        return try Descriptor(owning: number).read(upTo: 1 << 30, "standard input")
    }
}
