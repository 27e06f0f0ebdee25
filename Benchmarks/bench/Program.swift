// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// Why a measurement is not to be had.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A program that runs in the calling thread's network namespace. Ended when the value goes.
final class Program {
    let pid: pid_t
    private var hasEnded = false

    /// Starts the program; its output goes to `output`, or nowhere.
    init(_ words: [String], input: String = "/dev/null", output: String = "/dev/null") throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, Scratch.path("errors"), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let result = posix_spawnp(&process, words[0], &actions, nil, &arguments, environ)
        guard result == 0 else { throw Failure("\(words[0]): \(String(cString: strerror(result)))") }
        pid = process
    }

    deinit { end(SIGKILL) }

    /// Sends the signal and waits for the end.
    func end(_ signal: CInt) {
        guard !hasEnded else { return }
        kill(pid, signal)
        _ = wait()
    }

    func wait() -> CInt {
        var status: CInt = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        hasEnded = true
        return status
    }

    /// Whether the program has ended by itself, and well.
    func hasSucceeded() throws -> Bool {
        var status: CInt = 0
        guard !hasEnded, waitpid(pid, &status, WNOHANG) == pid else { return false }
        hasEnded = true
        guard status == 0 else { throw Failure("a program ended with status \(status)") }
        return true
    }

    /// Runs a program to its end.
    ///
    /// - Returns: how many milliseconds it took from the call to its end.
    @discardableResult
    static func run(_ words: [String], input: String = "/dev/null", output: String = "/dev/null") throws -> Double {
        let start = ContinuousClock.now
        let program = try Program(words, input: input, output: output)
        let status = program.wait()
        let time = (ContinuousClock.now - start) / .milliseconds(1)
        guard status == 0 else {
            let said = (try? Scratch.read(Scratch.path("errors"))) ?? ""
            throw Failure("\(words.prefix(4).joined(separator: " ")): status \(status): \(said.prefix(300))")
        }
        return time
    }
}

/// A directory for everything that the benchmark writes, gone when it ends.
enum Scratch {
    static let directory: String = {
        var template = Array("/tmp/fwmarkd-bench.XXXXXX\0".utf8CString.dropLast())
        return template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!).map { String(cString: $0) } ?? "/nonexistent" }
    }()

    static func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Writes the text and returns its path.
    static func write(_ name: String, _ text: String) throws -> String {
        let path = path(name)
        guard let file = fopen(path, "w") else { throw Failure("\(path) cannot be written") }
        defer { fclose(file) }
        guard fputs(text, file) >= 0 else { throw Failure("\(path) cannot be written") }
        return path
    }

    static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw Failure("\(path) cannot be read") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func remove() { _ = try? Program.run(["rm", "-rf", directory]) }
}
