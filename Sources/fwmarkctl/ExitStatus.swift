// SPDX-License-Identifier: GPL-2.0-or-later
/// What fwmarkctl tells its caller, beside 64 for wrong usage (`EX_USAGE` of `<sysexits.h>`, ArgumentParser's own).
enum ExitStatus: Int32 {
    /// All well.
    case success = 0
    /// An error, or errors in the file.
    case failure = 1
    /// `plan` found a difference.
    case differs = 2
    /// `status`: the daemon runs, but the kernel does not have what the file wants.
    case notInSync = 3
    /// The daemon is not running.
    case notRunning = 4
}

/// Why a command ends here: an exit status, and lines for standard error.
struct Failure: Error {
    var status: ExitStatus
    var lines: [String]

    /// An end with these lines on standard error; none if all has been said on standard output.
    init(_ status: ExitStatus, lines: [String] = []) {
        (self.status, self.lines) = (status, lines)
    }

    /// An end with a sentence.
    init(_ status: ExitStatus, _ message: String) {
        self.init(status, lines: ["fwmarkctl: \(message)"])
    }

    /// An error in a sentence.
    init(_ message: String) { self.init(.failure, message) }
}
