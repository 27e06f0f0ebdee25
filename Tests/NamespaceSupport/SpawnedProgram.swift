// SPDX-License-Identifier: GPL-2.0-or-later
import CNamespaces
package import Foundation

/// A program that was started with descriptors of the caller's choice.
///
/// Not Foundation's `Process`: where several threads start programs at once, its `waitUntilExit` now and then waits for ever for
/// one that has ended.
package final class SpawnedProgram {
    private let process: pid_t
    /// How it ended; nil until somebody has waited.
    private var end: CInt?

    /// Starts the program from the calling thread, so that it is in this thread's network namespace.
    ///
    /// - Parameters:
    ///   - environment: all its variables; nil: those of the test program.
    ///   - input: its standard input; nil: empty.
    ///   - output: its standard output; nil: nowhere.
    ///   - errors: its standard error; nil: nowhere.
    package init(
        _ words: [String], environment: [String: String]? = nil, input: CInt? = nil, output: CInt? = nil, errors: CInt? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, descriptor) in zip(CInt(0)..., [input, output, errors]) {
            if let descriptor {
                posix_spawn_file_actions_adddup2(&actions, descriptor, target)
            } else {
                posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0)
            }
        }
        process = try spawn(words, environment ?? ProcessInfo.processInfo.environment, &actions)
    }

    deinit {
        guard end == nil else { return }
        kill(process, SIGKILL)
        wait()
    }

    /// Asks it to end (SIGTERM).
    package func terminate() {
        if end == nil { kill(process, SIGTERM) }
    }

    /// Waits until it ends, and returns its exit status, or 128 and the number of the signal that ended it.
    @discardableResult
    package func wait() -> CInt {
        if let end { return end }
        var raw: CInt = 0
        while waitpid(process, &raw, 0) < 0 && errno == EINTR {}
        let status = raw & 0x7f == 0 ? raw >> 8 & 0xff : 128 + raw & 0x7f
        end = status
        return status
    }
}

/// Starts a program with these variables. Its signals are as in a terminal: the threads of a test program block some, and programs
/// inherit that.
func spawn(_ words: [String], _ environment: [String: String], _ actions: inout posix_spawn_file_actions_t) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for variable in variables { free(variable) } }
    var process: pid_t = 0
    let result = posix_spawnp(&process, words[0], &actions, &attributes, &arguments, &variables)
    guard result == 0 else { throw Failure("\(words[0]): \(String(cString: strerror(result)))") }
    return process
}

extension Pipe {
    /// A pipe whose ends no other program inherits that is started meanwhile: they would keep its reader waiting.
    package static var ofOurs: Pipe {
        let pipe = Pipe()
        for handle in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
            _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
        }
        return pipe
    }
}
