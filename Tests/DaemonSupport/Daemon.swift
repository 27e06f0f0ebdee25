// SPDX-License-Identifier: GPL-2.0-or-later
package import API
import Foundation
package import NamespaceSupport

/// `fwmarkd` as it was built beside these tests, running in a namespace, and the files it works with there.
package final class Daemon {
    /// Where the daemon's files are in the namespace's own directory.
    package struct Files {
        package let namespace: NetworkNamespace

        /// The files in the namespace's directory.
        package init(namespace: NetworkNamespace) { self.namespace = namespace }

        /// The same, with this configuration in its file.
        package init(namespace: NetworkNamespace, _ text: String) throws {
            self.init(namespace: namespace)
            try write(text)
        }

        package var configuration: String { namespace.directory.path + "/fwmarkd.yaml" }
        package var state: String { namespace.directory.path + "/state" }
        package var runtime: String { namespace.directory.path + "/run" }
        package var statusSocket: String { runtime + "/" + Endpoint.statusSocket }
        package var controlSocket: String { runtime + "/" + Endpoint.controlSocket }

        /// The arguments of `fwmarkd`, but for `--once`.
        package var options: [String] {
            ["--config", configuration, "--state-directory", state, "--runtime-directory", runtime]
        }

        /// Writes the configuration as an editor does: the file is whole at any time.
        package func write(_ text: String) throws { try text.write(toFile: configuration, atomically: true, encoding: .utf8) }
    }

    package let files: Files
    package let program: RunningProgram
    private let notifications: UnixSocket

    /// Starts the daemon. To be called on the namespace's thread.
    ///
    /// - Parameter wrapper: what is written before the program, another one that becomes it.
    package init(in namespace: NetworkNamespace, wrapper: [String] = [], environment: [String: String] = [:]) throws {
        files = Files(namespace: namespace)
        let socket = namespace.directory.path + "/notify-\(UUID().uuidString.prefix(8))"
        notifications = try UnixSocket.datagrams(at: socket)
        program = try namespace.start(
            wrapper + [try builtProgram("fwmarkd")] + files.options,
            environment: environment.merging(["NOTIFY_SOCKET": socket]) { own, _ in own })
    }

    /// Starts the daemon with this configuration, and waits until it is ready.
    package static func ready(
        in namespace: NetworkNamespace, _ text: String, wrapper: [String] = [], environment: [String: String] = [:]
    ) throws -> Daemon {
        try Files(namespace: namespace).write(text)
        let daemon = try Daemon(in: namespace, wrapper: wrapper, environment: environment)
        try daemon.expect("READY=1")
        return daemon
    }

    /// Waits until the daemon tells the service manager this, and returns all it has told until then.
    @discardableResult
    package func expect(_ message: String, seconds: Double = 20) throws -> [String] {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var all: [String] = []
        while ContinuousClock.now < deadline, program.isRunning {
            guard let bytes = notifications.receive(seconds: 0.1) else { continue }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
            all += lines
            if lines.contains(where: { $0.hasPrefix(message) }) { return all }
        }
        throw Failure("the daemon did not tell \(message) but \(all): \(program.output)")
    }

    /// Reads what it has told the service manager, which otherwise keeps it waiting for a second with each message.
    package func hearNotifications() {
        while notifications.receive(seconds: 0) != nil {}
    }

    /// Has it read the file again, and waits until it is ready again.
    package func hangUp() throws {
        program.signal(SIGHUP)
        try expect("RELOADING=1")
        try expect("READY=1")
    }

    /// Stops it as a service manager does, and returns its exit status.
    @discardableResult
    package func stop() throws -> CInt {
        program.signal(SIGTERM)
        return try program.wait(seconds: 20)
    }

    /// Kills it as nobody should.
    package func kill() throws {
        program.signal(SIGKILL)
        try program.wait(seconds: 20)
    }

    /// What it answers on `status.sock`.
    package func status() throws -> Status {
        let answer = try Answer(of: files.statusSocket, "GET", Endpoint.status)
        guard answer.code == 200 else { throw Failure("status: \(answer)") }
        return try JSON.decode(Status.self, from: answer.body)
    }

    /// Waits until the socket for everybody is there: the daemon works on the kernel's rules meanwhile.
    package func untilAnswering() throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while (try? status()) == nil, ContinuousClock.now < deadline { usleep(5000) }
    }

    /// What has happened, in order.
    package func events() throws -> [Event] { try events(from: files.statusSocket) }

    /// What has happened, in order, as it is told on that socket.
    package func events(from socket: String) throws -> [Event] {
        let answer = try Answer(of: socket, "GET", Endpoint.events)
        return try answer.body.split(separator: UInt8(ascii: "\n")).map { try JSON.decode(Event.self, from: Array($0)) }
    }

    /// Asks until the status is so.
    package func wait(seconds: Double = 20, until isSo: (Status) -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            let status = try status()
            if isSo(status) { return }
            guard ContinuousClock.now < deadline else { throw Failure("after \(seconds) s still \(status): \(program.output)") }
            usleep(5000)
        }
    }

    /// Its resident memory in bytes, and how many files it has open.
    package func use() throws -> (resident: Int, openFiles: Int) {
        let process = "/proc/\(program.process)"
        let pages = try String(contentsOfFile: process + "/statm", encoding: .utf8).split(separator: " ").dropFirst().first
        let files = try FileManager.default.contentsOfDirectory(atPath: process + "/fd")
        return ((pages.flatMap { Int($0) } ?? 0) * Int(getpagesize()), files.count)
    }
}

/// An answer of the daemon's server.
package struct Answer {
    package let code: Int
    package let head: String
    package let body: [UInt8]

    /// Asks on the socket, on a connection of its own.
    package init(of socket: String, _ method: String, _ path: String, seconds: Double = 10) throws {
        let client = try UnixSocket.connect(to: socket)
        client.send(Array("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".utf8))
        try self.init(client.receiveAll(seconds: seconds))
    }

    package init(_ bytes: [UInt8]) throws {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw Failure("no answer of HTTP: \(String(decoding: bytes.prefix(200), as: UTF8.self))")
        }
        head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let rest = Array(bytes[end.upperBound...])
        body = head.lowercased().contains("transfer-encoding: chunked") ? Answer.joined(rest) : rest
        code = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }
}

extension Answer {
    /// What is in the chunks (RFC 9112, section 7.1).
    private static func joined(_ chunks: [UInt8]) -> [UInt8] {
        var (body, rest) = ([UInt8](), chunks[...])
        while let line = rest.firstRange(of: Array("\r\n".utf8)),
            let length = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16), length > 0
        {
            body += rest[line.upperBound...].prefix(length)
            rest = rest[line.upperBound...].dropFirst(length + 2)
        }
        return body
    }
}

/// The program that was built beside these tests.
package func builtProgram(_ name: String) throws -> String {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
    guard FileManager.default.isExecutableFile(atPath: path) else { throw Failure("there is no \(path)") }
    return path
}

extension Daemon.Files {
    /// Runs `fwmarkctl` on these files.
    package func control(_ words: String..., seconds: Double = 30) throws -> (status: CInt, output: String) {
        try control(words, seconds: seconds)
    }

    /// Runs `fwmarkctl` on these files.
    package func control(_ words: [String], seconds: Double = 30) throws -> (status: CInt, output: String) {
        try namespace.end(
            of: [try builtProgram("fwmarkctl")] + words + ["--config", configuration, "--socket", runtime],
            environment: ["NO_COLOR": "1"], seconds: seconds)
    }

    /// Runs `fwmarkd --once` on them.
    package func once(wrapper: [String] = []) throws -> (status: CInt, output: String) {
        try namespace.end(of: wrapper + [try builtProgram("fwmarkd")] + options + ["--once"])
    }
}

/// Whether the long versions of the tests run: an hour where else it is a minute.
package let isLong = ProcessInfo.processInfo.environment["FWMARKD_TEST_LONG"] == "1"
