// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import Rules
import Testing

@Suite("The messages of the sockets")
struct MessageTests {
    private let time = Date(timeIntervalSince1970: 1_795_608_000.125)

    private var status: Status {
        Status(
            state: .inSync, version: "1", pid: 7, started: time,
            configuration: ConfigurationStatus(path: "/etc/fwmarkd/fwmarkd.yaml", sha256: "ab", loaded: time),
            lastReconcile: ReconcileStatus(trigger: .boot, time: time, milliseconds: 1.5, changes: 3, attempts: 1),
            tables: [TableStatus(family: .ipv4, table: .mangle, chains: 1, rules: 2, foreignRules: 3)],
            services: [
                ServiceStatus(
                    name: "a \"b\"\\\n", mark: "21", addresses: ["203.0.113.10"], ports: ["tcp/21"], packets: 1 << 60, bytes: 5)
            ])
    }

    @Test("A message comes back as it was sent, times to the millisecond")
    func roundTrip() throws {
        #expect(try JSON.decode(Status.self, from: JSON.encode(status)) == status)
        let event = Event(id: 1, time: time, kind: .reloadRefused, message: "no", lines: ["+ a"], changeCount: 9)
        #expect(try JSON.decode(Event.self, from: JSON.encode(event)) == event)
        #expect(String(decoding: JSON.encode(event), as: UTF8.self).contains("\"time\":\"2026-11-25T12:00:00.125Z\""))
        let problem = Problem.refused([
            FileError(file: "/f", line: 2, column: 3, path: "services[0]", message: "invalid value \"x\"")
        ])
        #expect(try JSON.decode(Problem.self, from: JSON.encode(problem)) == problem)
        #expect(problem.errors?.first?.description == "/f:2:3: services[0]: invalid value \"x\"")
    }

    @Test("An undecodable message is an error", arguments: ["", "{", "[]", "{}", "{\"state\":\"fine\"}"])
    func noMessage(_ text: String) {
        #expect(throws: (any Error).self) { try JSON.decode(Status.self, from: Array(text.utf8)) }
    }

    @Test("Invisible characters leave the daemon as numbers, and are shown as such and not obeyed")
    func invisible() throws {
        let hostile = "a\u{1b}[2J\n<0>b\u{202e}c\u{9b}31m\r\n\u{e000}d\\n\"ü\u{1f600}\0"
        let event = Event(id: 1, time: time, kind: .drift, message: hostile)
        let json = JSON.encode(event)
        #expect(try JSON.decode(Event.self, from: json) == event, "nothing is lost")
        let text = String(decoding: json, as: UTF8.self)
        for scalar in text.unicodeScalars {
            #expect(![.control, .format, .privateUse].contains(scalar.properties.generalCategory), "\(scalar.value)")
        }
        let shown = try JSON.decode(Event.self, from: JSON.printableStrings(json)).message
        #expect(shown == "a\\u001b[2J\\n<0>b\\u202ec\\u009b31m\\r\\n\\ue000d\\n\"ü\u{1f600}\\u0000")
    }

    @Test("in_sync is 1 while the rules of the configuration in force are there, degraded or not", arguments: Status.State.allCases)
    func inSync(_ state: Status.State) {
        var status = status
        status.state = state
        let text = PrometheusText(status, Metrics(), nil).text
        let expected = [.inSync, .degraded].contains(state) ? 1 : 0
        #expect(text.contains("\nfwmarkd_in_sync \(expected)\n"))
        #expect(text.contains("\nfwmarkd_state{state=\"\(state.rawValue)\"} 1\n"))
    }

    @Test("Metrics: types, labels with their escapes, whole numbers, and a histogram whose buckets rise")
    func metrics() {
        var metrics = Metrics()
        for seconds in [0.0005, 0.003, 0.005, 99] { metrics.count(.boot, .changed, seconds: seconds, lockSeconds: nil) }
        metrics.countDrift([.add, .add, .remove])
        let text = PrometheusText(status, metrics, ProcessUse(residentBytes: 4096, openFiles: 5, cpuSeconds: 0.25)).text
        for line in [
            "# TYPE fwmarkd_in_sync gauge", "fwmarkd_in_sync 1", "fwmarkd_state{state=\"drifted\"} 0",
            "fwmarkd_reconciles_total{trigger=\"boot\",outcome=\"changed\"} 4",
            "fwmarkd_reconcile_duration_seconds_bucket{le=\"0.001\"} 1",
            "fwmarkd_reconcile_duration_seconds_bucket{le=\"0.005\"} 3",
            "fwmarkd_reconcile_duration_seconds_bucket{le=\"30\"} 3", "fwmarkd_reconcile_duration_seconds_bucket{le=\"+Inf\"} 4",
            "fwmarkd_reconcile_duration_seconds_count 4", "fwmarkd_drift_total{kind=\"add\"} 2",
            "fwmarkd_drift_total{kind=\"add-chain\"} 0",
            "fwmarkd_service_packets_total{service=\"a \\\"b\\\"\\\\\\n\",mark=\"21\"} 1152921504606846976",
            "process_resident_memory_bytes 4096", "process_cpu_seconds_total 0.25",
        ] {
            #expect(text.split(separator: "\n").contains(Substring(line)), "\(line)")
        }
        #expect(!text.contains("masquerade"), "a family without samples is left out")
    }
}
