import API
import ArgumentParser
import NIOHTTP1

struct ShowStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the daemon's state and what each service has seen.",
        discussion: """
            With --watch the picture is drawn again every second, with packets and bytes per second, until it is interrupted. \
            Where there are more services than fit on the terminal, the busiest are shown.

            Exit status: 0 in sync, 3 not in sync, 4 the daemon is not running, 1 an error.

            Example: fwmarkctl status --watch
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    @Flag(name: .shortAndLong, help: "Go on, every second, with rates.")
    var watch = false

    func run() async throws {
        if watch { try await watchStatus() }
        let (status, body) = try await fetch()
        if output.json {
            try StandardOutput.write(body)
        } else {
            try StandardOutput.write(StatusText(status, rates: nil, options.style, columns: Terminal.output.size?.columns).text)
        }
        if status.state != .inSync { throw Failure(.notInSync) }
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
                frame = output.json ? body : Array(text.text(rows: size?.rows).utf8)
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
