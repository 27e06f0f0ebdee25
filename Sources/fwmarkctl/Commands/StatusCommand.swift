// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import NIOHTTP1

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the daemon's state and what each service has seen.",
        discussion: """
            With --watch the status is refreshed every second, with packets and bytes per second, until it is interrupted. \
            Where there is more than fits on the terminal, the busiest services come first and pages turn by themselves.

            With --host the directors at these URLs (their http-listen) are shown as one table, and what differs between their \
            configurations is named.

            Exit status: 0 in sync or degraded (the rules in force are in the kernel), 3 not in sync, 4 the daemon is not running \
            or does not answer, 1 an error. With --host the worst of all.

            Example:
              fwmarkctl status --watch
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    @Flag(name: .shortAndLong, help: "Refresh every second and show rates.")
    var watch = false

    @Option(
        help: ArgumentHelp(
            "A director's URL, http://NAME:PORT; once for each director.", valueName: "url"))
    var host: [DirectorURL] = []

    func validate() throws {
        if watch, !host.isEmpty { throw ValidationError("--watch does not go with --host") }
    }

    func run() async throws {
        if !host.isEmpty { return try await showDirectors() }
        if watch { try await watchStatus() }
        let (status, body) = try await fetch()
        if output.json {
            try StandardOutput.write(body)
        } else {
            try StandardOutput.write(StatusText(status, rates: nil, options.style, columns: Terminal.output.size?.columns).text)
        }
        if !status.state.isSettled { throw Failure(.notInSync) }
    }

    /// All directors are asked at once.
    private func showDirectors() async throws {
        let answers = await withTaskGroup(of: (Int, DirectorsText.Director).self) { group in
            for (index, url) in host.enumerated() { group.addTask { (index, await StatusCommand.ask(url)) } }
            var answers: [Int: DirectorsText.Director] = [:]
            for await (index, director) in group { answers[index] = director }
            return host.indices.compactMap { answers[$0] }
        }
        if output.json {
            let statuses = answers.map { director in
                DirectorMessage(url: "\(director.url)", status: try? director.answer.get(), error: director.error)
            }
            try StandardOutput.write(JSON.encode(statuses) + [UInt8(ascii: "\n")])
        } else {
            let size = Terminal.output.size
            try StandardOutput.write(DirectorsText(answers, options.style, columns: size?.columns).text)
        }
        let worst = DirectorsText.exitStatus(answers)
        if worst != .success { throw Failure(worst) }
    }

    private static func ask(_ url: DirectorURL) async -> DirectorsText.Director {
        do throws(Failure) {
            let answer = try await DaemonClient(url).send(.GET, Endpoint.status)
            try DaemonClient.check(answer)
            return DirectorsText.Director(url: url, answer: .success(try DaemonClient.decode(Status.self, answer)))
        } catch {
            return DirectorsText.Director(url: url, answer: .failure(error))
        }
    }

    /// The daemon's status, and its bytes with a line feed at their end.
    private func fetch() async throws(Failure) -> (Status, [UInt8]) {
        let answer = try await DaemonClient(.reading, at: options.socket).send(.GET, Endpoint.status)
        try DaemonClient.check(answer)
        return (try DaemonClient.decode(Status.self, answer), answer.line)
    }

    /// Draws until the process is interrupted. A daemon that goes away is waited for; one that is not there at first is not.
    private func watchStatus() async throws -> Never {
        var earlier: (status: Status, time: ContinuousClock.Instant)?
        var frames = 0
        let isScreen = Terminal.output.isTerminal && !output.json
        while true {
            var frame: [UInt8]
            let next = ContinuousClock.now + .seconds(1)
            do throws(Failure) {
                let (status, body) = try await fetch()
                let now = ContinuousClock.now
                let rates = earlier.map { Rates(from: $0.status, to: status, in: now - $0.time) }
                earlier = (status, now)
                let size = Terminal.output.size
                let text = StatusText(status, rates: rates ?? Rates(), options.style, columns: size?.columns)
                frame = output.json ? body : Array(text.text(rows: size?.rows, page: frames / StatusText.framesOfPage).utf8)
                frames += 1
            } catch {
                guard earlier != nil, error.status == .notRunning else { throw error }
                if output.json {
                    StandardError.write(error.lines)
                    frame = []
                } else {
                    frame = Array((error.lines + [""]).joined(separator: "\n").utf8)
                }
            }
            // In one write, so that nothing flickers.
            if isScreen {
                frame = Array("\u{1b}[H\u{1b}[2J".utf8) + frame
            } else if !output.json {
                frame.append(UInt8(ascii: "\n"))
            }
            try StandardOutput.write(frame)
            try await Task.sleep(until: next, clock: .continuous)
        }
    }
}

/// A director in the list that `status --host … --json` prints.
private struct DirectorMessage: Encodable {
    var url: String
    /// Its status; absent if it does not answer as it should.
    var status: Status?
    /// Why not; absent if it does.
    var error: String?
}

extension DirectorsText.Director {
    fileprivate var error: String? {
        if case .failure(let failure) = answer { failure.lines.joined(separator: "\n") } else { nil }
    }
}
