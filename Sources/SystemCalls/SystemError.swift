// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// Why a file, a directory or a descriptor could not be used: what was being done, and the reason.
package struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of reason.
    package enum Reason: Sendable, Hashable {
        /// The kernel refused, with this number (errno(3)).
        case errno(CInt)
        /// The path names something else than what was wanted: `a FIFO`, `a directory`.
        case wrongKind(String)
        /// The file is larger than this many bytes.
        case tooLarge(limit: Int)
        /// Others than this process's user can change it.
        case untrusted(String)
    }

    /// What was being done, to what: `opening /etc/fwmarkd/fwmarkd.yaml`.
    package let doing: String
    /// Why that failed.
    package let reason: Reason

    /// An error of these parts.
    package init(_ doing: String, _ reason: Reason) {
        (self.doing, self.reason) = (doing, reason)
    }

    /// An error with errno as it is now. Call it at once after the call that failed.
    package init(errnoOf doing: String) { self.init(doing, .errno(Glibc.errno)) }

    /// The kernel's number; nil where the reason is another one.
    package var errno: CInt? {
        guard case .errno(let number) = reason else { return nil }
        return number
    }

    /// Whether the file or directory does not exist.
    package var isMissing: Bool { errno == ENOENT }

    /// The reason alone: `No such file or directory`, `it is a FIFO, not a regular file`.
    package var reasonText: String {
        switch reason {
        case .errno(let number): SystemError.text(errno: number)
        case .wrongKind(let kind): "it is \(kind)"
        case .tooLarge(let limit): "it is larger than \(limit >> 20) MiB"
        case .untrusted(let why): why
        }
    }

    /// What was being done, and why that failed.
    package var description: String { "\(doing): \(reasonText)" }

    /// The kernel's words for the number: `Permission denied`.
    package static func text(errno number: CInt) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
            // strerror is not for several threads.
            guard let start = text.baseAddress, strerror_r(number, start, text.count) == 0 else {
                return "error \(number)"
            }
            return String(cString: start)
        }
    }
}

/// Makes a system call, again whenever a signal interrupts it.
///
/// - Returns: what it returned, never below zero.
/// - Throws: errno, with what was being done.
@discardableResult
package func systemCall<Value: FixedWidthInteger & SignedInteger>(
    _ doing: @autoclosure () -> String, _ call: () -> Value
) throws(SystemError) -> Value {
    while true {
        let result = call()
        if result >= 0 { return result }
        let number = Glibc.errno
        if number != EINTR { throw SystemError(doing(), .errno(number)) }
    }
}
