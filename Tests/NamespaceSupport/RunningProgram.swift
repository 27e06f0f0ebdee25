// SPDX-License-Identifier: GPL-2.0-or-later
import CNamespaces
import Foundation
import Synchronization

/// A program that a test started; killed, if it still runs, when the value goes.
package final class RunningProgram: Sendable {
    /// Its process.
    package let process: Int32
    private let name: String
    private let outputFile: URL
    private let descriptor: CInt
    /// How it ended, once that was asked.
    private let status = Mutex<CInt?>(nil)

    /// Starts the program from the calling thread, so that it is in this thread's network namespace.
    init(_ words: [String], input: String, environment: [String: String], in directory: URL) throws {
        // Files instead of pipes: a pipe's end would be inherited by the programs that other tests start meanwhile.
        let files = directory.appendingPathComponent("program-\(UUID().uuidString)")
        let inputFile = URL(fileURLWithPath: files.path + ".input")
        outputFile = URL(fileURLWithPath: files.path + ".output")
        name = words.joined(separator: " ")
        try Data(input.utf8).write(to: inputFile)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, inputFile.path, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputFile.path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let variables = ProcessInfo.processInfo.environment.merging(environment) { _, own in own }
        process = try spawn(words, variables, &actions)
        descriptor = pidfd_open(process, 0)
        guard descriptor >= 0 else { throw Failure("pidfd_open: \(String(cString: strerror(errno)))") }
    }

    deinit {
        if status.withLock({ $0 }) == nil {
            kill(process, SIGKILL)
            _ = reap()
        }
        close(descriptor)
    }

    /// What it has printed so far, to standard output and to standard error.
    package var output: String { String(decoding: outputBytes, as: UTF8.self) }

    /// The same as bytes.
    package var outputBytes: [UInt8] { (try? Data(contentsOf: outputFile)).map { Array($0) } ?? [] }

    /// Whether it has not ended yet.
    package var isRunning: Bool {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return status.withLock { $0 } == nil && poll(&event, 1, 0) == 0
    }

    /// Sends it a signal.
    package func signal(_ number: CInt) {
        status.withLock { if $0 == nil { kill(process, number) } }
    }

    /// Waits until it ends, and returns its exit status, or 128 and the number of the signal that ended it.
    ///
    /// - Throws: a `Failure` when it does not end in time; it is killed then.
    @discardableResult
    package func wait(seconds: Double = 60) throws -> CInt {
        if let status = status.withLock({ $0 }) { return status }
        let deadline = ContinuousClock.now + .seconds(seconds)
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let left = ContinuousClock.now.duration(to: deadline).components
            let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
            let result = poll(&event, 1, CInt(max(0, milliseconds)))
            if result == 1 { break }
            guard result < 0, errno == EINTR else {
                kill(process, SIGKILL)
                _ = reap()
                throw Failure("\(name): still running after \(seconds) s: \(output)")
            }
        }
        return reap()
    }

    private func reap() -> CInt {
        var raw: CInt = 0
        while waitpid(process, &raw, 0) < 0 && errno == EINTR {}
        let result = raw & 0x7f == 0 ? raw >> 8 & 0xff : 128 + raw & 0x7f
        status.withLock { $0 = result }
        return result
    }
}
