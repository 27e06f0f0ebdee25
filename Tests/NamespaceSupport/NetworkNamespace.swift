// SPDX-License-Identifier: GPL-2.0-or-later
package import Foundation

/// A network namespace of the test's own, with an xtables lock of its own; both are gone when the body of `run` ends.
package final class NetworkNamespace: Sendable {
    /// Whether this process may make network namespaces; tests that need one are skipped with this reason otherwise.
    package static let isAvailable = geteuid() == 0

    private let thread: NamespaceThread
    /// A directory for what the test writes.
    package let directory: URL

    private init(_ thread: NamespaceThread) throws {
        self.thread = thread
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-test-\(UUID().uuidString)")
        // The lock in a directory of its own: the daemon watches it, and a test's other files are none of its business.
        try FileManager.default.createDirectory(
            at: directory.appendingPathComponent("lock"), withIntermediateDirectories: true)
    }

    /// Runs `body` on a thread in a new network namespace.
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable (NetworkNamespace) async throws -> Result
    ) async throws -> Result {
        try await beside { namespace in try await namespace.enter { try await body(namespace) } }
    }

    /// Makes a network namespace and runs `body` outside of it; `enter` leads in.
    package static func beside<Result: Sendable>(
        _ body: @escaping @Sendable (NetworkNamespace) async throws -> Result
    ) async throws -> Result {
        let thread = try await NamespaceThread.started()
        defer { thread.finish() }
        let namespace = try NetworkNamespace(thread)
        defer { try? FileManager.default.removeItem(at: namespace.directory) }
        return try await body(namespace)
    }

    /// Runs `body` on this namespace's thread.
    @discardableResult
    package func enter<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        // A child task, so that the caller never comes to that thread: with `withTaskExecutorPreference` the runtime of Swift 6.3
        // goes on there after the body has ended.
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask(executorPreference: thread) { [thread] in
                guard thread.isCurrent else { throw Failure("not on the thread of the namespace") }
                return try await body()
            }
            guard let result = try await group.next() else { throw Failure("the namespace's task did not end") }
            return result
        }
    }

    /// The namespace's path for as long as the test runs, as `ip link set … netns PATH` takes it.
    package var path: String { "/proc/\(getpid())/fd/\(thread.descriptor)" }

    /// The xtables lock of this namespace: tests that run at the same time do not wait for one another.
    package var lockPath: String { directory.appendingPathComponent("lock/xtables.lock").path }

    /// Runs a program in the namespace of the calling thread, and returns what it prints.
    ///
    /// - Throws: a `Failure` with what it printed, when it ends with another status than 0.
    @discardableResult
    package func run(_ words: String..., input: String = "") throws -> String { try run(words, input: input) }

    /// Runs a program in the namespace of the calling thread, and returns what it prints.
    @discardableResult
    package func run(_ words: [String], input: String = "", environment: [String: String] = [:]) throws -> String {
        let end = try end(of: words, input: input, environment: environment)
        guard end.status == 0 else { throw Failure("\(words.joined(separator: " ")): status \(end.status): \(end.output)") }
        return end.output
    }

    /// Runs a program in the namespace of the calling thread to its end, whatever that is.
    package func end(
        of words: [String], input: String = "", environment: [String: String] = [:], seconds: Double = 60
    ) throws -> (status: CInt, output: String) {
        let program = try start(words, input: input, environment: environment)
        let status = try program.wait(seconds: seconds)
        return (status, program.output)
    }

    /// Starts a program in the namespace of the calling thread; it is killed when the value goes.
    package func start(
        _ words: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> RunningProgram {
        guard NamespaceThread.isInside else { throw Failure("\(words.joined(separator: " ")): not in a namespace of the tests") }
        return try RunningProgram(
            words, input: input, environment: environment.merging(["XTABLES_LOCKFILE": lockPath]) { own, _ in own }, in: directory)
    }

    /// Runs the lines one after the other, each a program's words separated by single blanks.
    package func run(lines: String) throws {
        for line in lines.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if !words.isEmpty { try run(words) }
        }
    }
}

/// Why a test could not do what it meant to.
package struct Failure: Error, CustomStringConvertible {
    /// What happened.
    package let description: String

    /// A failure of this description.
    package init(_ description: String) { self.description = description }
}
