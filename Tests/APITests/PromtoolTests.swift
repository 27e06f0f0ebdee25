// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import Rules
import Testing

@testable import API

@Suite("Metrics, judged by promtool")
struct PromtoolTests {
    private static let path = ["/usr/bin", "/usr/local/bin"].map { $0 + "/promtool" }.first(
        where: FileManager.default.isExecutableFile)

    @Test(
        "All of the daemon's metrics follow Prometheus' conventions",
        .enabled(if: PromtoolTests.path != nil, "promtool is not installed"))
    func conventions() throws {
        let time = Date(timeIntervalSince1970: 1_790_000_000)
        let status = Status(
            state: .degraded, version: "1", pid: 7, started: time,
            configuration: ConfigurationStatus(path: "/etc/fwmarkd/fwmarkd.yaml", sha256: "ab", loaded: time, fallback: true),
            lastReconcile: ReconcileStatus(trigger: .boot, time: time, milliseconds: 1.5, changes: 3, attempts: 1),
            lastVerified: time, tables: [TableStatus(family: .ipv4, table: .mangle, chains: 1, rules: 2, foreignRules: 3)],
            services: [
                ServiceStatus(
                    name: "a \"b\"\\\n", mark: "21", addresses: ["203.0.113.10"], ports: ["tcp/21"], packets: 1 << 60, bytes: 5)
            ],
            masquerades: [MasqueradeStatus(name: "out", sources: ["10.0.0.0/8"], ports: [], to: "masquerade", packets: 3)],
            warnings: ["w"])
        var metrics = Metrics()
        for trigger in Trigger.allCases {
            for outcome in Metrics.Outcome.allCases { metrics.count(trigger, outcome, seconds: 0.003, lockSeconds: 0.1) }
        }
        metrics.countDrift([.add, .removeChain])
        metrics.countRepair()
        metrics.noteReload(isGood: false)
        let text = PrometheusText(status, metrics, ProcessUse(residentBytes: 4096, openFiles: 5, cpuSeconds: 0.25)).text

        let file = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(text.utf8).write(to: file)
        let input = try FileHandle(forReadingFrom: file)
        let output = Pipe.ofOurs
        let writing = output.fileHandleForWriting
        let program = try SpawnedProgram(
            [try #require(PromtoolTests.path), "check", "metrics"], input: input.fileDescriptor, output: writing.fileDescriptor,
            errors: writing.fileDescriptor)
        try writing.close()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let end = withExtendedLifetime(input) { program.wait() }
        #expect(end == 0 && said == "", "\(said)")
    }
}
