// SPDX-License-Identifier: GPL-2.0-or-later
import DaemonSupport
import Foundation
import NamespaceSupport

/// How a program ended, and what it said.
struct End {
    var status: CInt
    var output: String
    var errors: String
    /// The lines of `errors`.
    var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
}

/// A directory of the test's own; gone when the value goes.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkctl-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // Some programs are run as another user.
        chmod(path, 0o755)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and returns its path.
    func file(_ name: String, _ text: String) throws -> String {
        let file = path + "/" + name
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }
}

/// `fwmarkctl` as it was built beside these tests.
struct Program {
    /// Its path: in the directory of the test program.
    static let path: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (own as NSString).deletingLastPathComponent + "/fwmarkctl"
    }()

    /// What is written before the program: another program that starts it.
    var wrapper: [String] = []
    var environment: [String: String] = [:]
    var scratch: Scratch

    init(_ scratch: Scratch) { self.scratch = scratch }

    /// The program in the namespace, with the namespace's lock.
    init(_ scratch: Scratch, in namespace: NetworkNamespace) {
        self.init(scratch)
        wrapper = ["nsenter", "--net=\(namespace.path)", "--"]
        environment = ["XTABLES_LOCKFILE": namespace.lockPath]
    }

    /// A wrapper that runs it as a user without rights.
    static let asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

    /// Starts it with the words; output goes into the pipe, and what it says on standard error nowhere.
    func start(_ words: [String], into pipe: Pipe) throws -> SpawnedProgram {
        let program = try start(words, output: pipe.fileHandleForWriting.fileDescriptor, errors: nil)
        try pipe.fileHandleForWriting.close()
        return program
    }

    private func start(_ words: [String], output: CInt, errors: CInt?) throws -> SpawnedProgram {
        // No socket of a daemon on this machine is ever asked by mistake: the tests name one of their own.
        var variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        variables["TZ"] = "UTC"
        variables["NO_COLOR"] = environment["NO_COLOR"]
        // Signals as in a terminal. A deadline: nothing that these tests run takes a minute.
        return try SpawnedProgram(
            ["env", "--default-signal=TERM,PIPE", "timeout", "60"] + wrapper + [Program.path] + words, environment: variables,
            output: output, errors: errors)
    }

    /// Runs it to its end.
    func run(_ words: [String]) throws -> End {
        // Files and not pipes: what is long never blocks.
        let names = (UUID().uuidString + ".out", UUID().uuidString + ".err")
        let files = try (scratch.file(names.0, ""), scratch.file(names.1, ""))
        guard let output = FileHandle(forWritingAtPath: files.0), let errors = FileHandle(forWritingAtPath: files.1) else {
            throw Failure("no files in \(scratch.path)")
        }
        let status = try withExtendedLifetime((output, errors)) {
            try start(words, output: output.fileDescriptor, errors: errors.fileDescriptor).wait()
        }
        func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
        return End(status: status, output: try text(files.0), errors: try text(files.1))
    }

    /// Runs it to its end with the words of a line.
    func run(_ line: String) throws -> End { try run(line.split(separator: " ").map(String.init)) }
}

/// The example of the manual, with a service for both families.
let exampleFile =
    ftpEntry + """
        services:
          - name: web
            mark: 80
            addresses: [203.0.113.20, "2001:db8::20"]
            tcp: [80, 443]
        """
