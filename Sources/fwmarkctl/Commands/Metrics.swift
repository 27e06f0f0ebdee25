import API
import ArgumentParser
import NIOHTTP1

struct Metrics: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the daemon's metrics as Prometheus text.",
        discussion: """
            For a textfile collector, and for looking.

            Exit status: 0 printed, 1 an error, 4 the daemon is not running.

            Example: fwmarkctl metrics > /var/lib/prometheus/node-exporter/fwmarkd.prom
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let answer = try await DaemonClient(.reading, at: options.socket).send(.GET, Endpoint.metrics)
        try DaemonClient.check(answer)
        try StandardOutput.write(answer.body)
    }
}
