import CNamespaces
import Foundation

/// A network namespace of the test's own, in which the body runs on a thread that belongs to it; gone when the body ends.
struct NetworkNamespace {
    /// Whether this process may make network namespaces; tests that need one are skipped with this reason otherwise.
    static let isAvailable = geteuid() == 0

    /// Runs `body` on a thread in a new network namespace.
    static func run<Result: Sendable>(_ body: @escaping @Sendable (NetworkNamespace) throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread {
                guard unshare(fwmarkd_clone_newnet) == 0 else {
                    continuation.resume(throwing: Failure(description: "unshare: errno \(errno)"))
                    return
                }
                continuation.resume(with: Swift.Result { try body(NetworkNamespace()) })
            }
            thread.start()
        }
    }

    struct Failure: Error, CustomStringConvertible { let description: String }

    /// Runs a program in the namespace of the calling thread and returns what it prints.
    @discardableResult
    func run(_ words: String..., input: String = "") throws -> String {
        // Files instead of pipes: a pipe's end would be inherited by the programs that other tests start meanwhile.
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (inputFile, outputFile) = (directory.appendingPathComponent("input"), directory.appendingPathComponent("output"))
        try Data(input.utf8).write(to: inputFile)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, inputFile.path, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputFile.path, O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        // From this thread, so that the program is in this thread's namespace.
        let result = posix_spawnp(&process, words[0], &actions, nil, &arguments, environ)
        guard result == 0 else { throw Failure(description: "\(words[0]): errno \(result)") }
        var status: CInt = 0
        waitpid(process, &status, 0)
        let text = String(decoding: try Data(contentsOf: outputFile), as: UTF8.self)
        guard status == 0 else { throw Failure(description: "\(words.joined(separator: " ")): status \(status): \(text)") }
        return text
    }
}
