// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Rules

/// The answer to `GET /metrics`: Prometheus' text format, version 0.0.4.
package struct PrometheusText {
    /// The media type of the format.
    package static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    /// The text.
    package private(set) var text = ""

    /// All metrics of the daemon.
    package init(_ status: Status, _ metrics: Metrics, _ process: ProcessUse?) {
        family("fwmarkd_build_info", .gauge, "The version of the daemon, always 1.") { $0.sample(["version": status.version], 1) }
        single(
            "fwmarkd_in_sync", .gauge, "Whether the kernel has the rules that the configuration in force wants.",
            status.state.isSettled ? 1 : 0)
        family("fwmarkd_state", .gauge, "The state of the daemon: 1 for the one it is in.") { family in
            for state in Status.State.allCases { family.sample(["state": state.rawValue], state == status.state ? 1 : 0) }
        }
        addConfiguration(status, metrics)
        addReconciles(status, metrics)
        addRules(status)
        addServers(status, metrics)
        if let process { addProcess(status, process) }
    }

    // MARK: - Families

    private mutating func addConfiguration(_ status: Status, _ metrics: Metrics) {
        let configuration = status.configuration
        family("fwmarkd_config_info", .gauge, "The configuration in force by its SHA-256, always 1.") {
            $0.sample(["sha256": configuration.sha256], 1)
        }
        single(
            "fwmarkd_config_load_timestamp_seconds", .gauge, "When the configuration in force was read.",
            configuration.loaded.timeIntervalSince1970)
        single(
            "fwmarkd_config_fallback", .gauge, "Whether the last good configuration is in force in place of the file.",
            configuration.fallback ? 1 : 0)
        single(
            "fwmarkd_config_last_reload_successful", .gauge, "Whether the file was valid when it was last read.",
            metrics.isLastReloadGood && !configuration.fallback ? 1 : 0)
        single(
            "fwmarkd_config_refused_reloads_total", .counter, "How often the file was read again and refused.",
            Double(metrics.refusedReloads))
    }

    private mutating func addReconciles(_ status: Status, _ metrics: Metrics) {
        family("fwmarkd_reconciles_total", .counter, "Comparisons of the kernel with the configuration.") { family in
            for trigger in Trigger.allCases {
                for outcome in Metrics.Outcome.allCases {
                    let count = metrics.reconciles[Metrics.Kind(trigger: trigger, outcome: outcome)] ?? 0
                    family.sample(["trigger": trigger.rawValue, "outcome": outcome.rawValue], Double(count))
                }
            }
        }
        histogram(
            "fwmarkd_reconcile_duration_seconds", "How long comparisons took, waiting for the lock included.", metrics.durations)
        histogram("fwmarkd_lock_wait_seconds", "How long comparisons waited for the xtables lock.", metrics.lockWaits)
        if let last = status.lastReconcile {
            single(
                "fwmarkd_last_reconcile_timestamp_seconds", .gauge, "When a comparison last changed something or failed.",
                last.time.timeIntervalSince1970)
        }
        if let verified = status.lastVerified {
            single(
                "fwmarkd_last_verified_timestamp_seconds", .gauge, "When the kernel was last seen to have all rules.",
                verified.timeIntervalSince1970)
        }
        family("fwmarkd_drift_total", .counter, "Differences found that no reload caused, by what repairs them.") { family in
            for kind in ChangeKind.allCases { family.sample(["kind": kind.rawValue], Double(metrics.drift[kind] ?? 0)) }
        }
        single("fwmarkd_repairs_total", .counter, "How often such differences were repaired.", Double(metrics.repairs))
        single(
            "fwmarkd_lock_timeouts_total", .counter, "How often waiting for the xtables lock took longer than lock-timeout.",
            Double(metrics.lockTimeouts))
        single(
            "fwmarkd_undone_repairs_total", .counter, "How often another program undid a repair within ten seconds.",
            Double(metrics.undoneRepairs))
        single("fwmarkd_contended", .gauge, "Whether another program undoes repairs again and again.", metrics.isContended ? 1 : 0)
        single("fwmarkd_warnings", .gauge, "How many warnings the status has.", Double(status.warnings.count))
    }

    private mutating func addRules(_ status: Status) {
        family("fwmarkd_rules", .gauge, "Rules of fwmarkd in the kernel.") { family in
            for table in status.tables {
                family.sample(["family": table.family.rawValue, "table": table.table.rawValue], Double(table.rules))
            }
        }
        family("fwmarkd_service_packets_total", .counter, "Packets that got the service's mark.") { family in
            for service in status.services {
                family.sample(["service": service.name, "mark": service.mark], Double(service.packets))
            }
        }
        family("fwmarkd_service_bytes_total", .counter, "Bytes of the packets that got the service's mark.") { family in
            for service in status.services {
                family.sample(["service": service.name, "mark": service.mark], Double(service.bytes))
            }
        }
        family("fwmarkd_masquerade_connections_total", .counter, "Connections whose source was translated.") { family in
            for masquerade in status.masquerades { family.sample(["masquerade": masquerade.name], Double(masquerade.packets)) }
        }
    }

    private mutating func addServers(_ status: Status, _ metrics: Metrics) {
        family("fwmarkd_listening", .gauge, "Whether the server listens on its address.") { family in
            for server in status.servers { family.sample(["server": server.name], server.isListening ? 1 : 0) }
        }
        single(
            "fwmarkd_dropped_followers_total", .counter, "Followers of events that read too slowly and were cut off.",
            Double(metrics.droppedFollowers))
        single(
            "fwmarkd_refused_requests_total", .counter, "Requests refused for too many clients or unread answers.",
            Double(metrics.refusedRequests))
        single(
            "fwmarkd_dropped_log_lines_total", .counter, "Lines of the log that were dropped because nothing read it.",
            Double(metrics.droppedLogLines))
    }

    private mutating func addProcess(_ status: Status, _ process: ProcessUse) {
        single("process_start_time_seconds", .gauge, "When the daemon was started.", status.started.timeIntervalSince1970)
        single("process_resident_memory_bytes", .gauge, "Resident memory.", Double(process.residentBytes))
        single("process_open_fds", .gauge, "Open file descriptors.", Double(process.openFiles))
        single("process_cpu_seconds_total", .counter, "Processor time, user and system.", process.cpuSeconds)
    }

    // MARK: - Format

    private enum Kind: String { case gauge, counter, histogram }

    private struct MetricFamily {
        let name: String
        var lines = ""

        mutating func sample(_ labels: KeyValuePairs<String, String>, suffix: String = "", _ value: Double) {
            lines += name + suffix
            if !labels.isEmpty {
                lines += "{" + labels.map { "\($0.key)=\"\(MetricFamily.escaped($0.value))\"" }.joined(separator: ",") + "}"
            }
            lines += " \(number(value))\n"
        }

        private static func escaped(_ text: String) -> String {
            var result = ""
            for character in text.unicodeScalars {
                switch character {
                case "\\": result += "\\\\"
                case "\"": result += "\\\""
                case "\n": result += "\\n"
                default: result.unicodeScalars.append(character)
                }
            }
            return result
        }
    }

    /// A family of one sample without labels.
    private mutating func single(_ name: String, _ kind: Kind, _ text: String, _ value: Double) {
        family(name, kind, text) { $0.sample([:], value) }
    }

    private mutating func family(_ name: String, _ kind: Kind, _ text: String, _ samples: (inout MetricFamily) -> Void) {
        var family = MetricFamily(name: name)
        samples(&family)
        guard !family.lines.isEmpty else { return }
        self.text += "# HELP \(name) \(text)\n# TYPE \(name) \(kind.rawValue)\n" + family.lines
    }

    private mutating func histogram(_ name: String, _ text: String, _ histogram: Histogram) {
        family(name, .histogram, text) { family in
            var total: UInt64 = 0
            for (bound, count) in zip(histogram.bounds.map(number) + ["+Inf"], histogram.counts) {
                total += count
                family.sample(["le": bound], suffix: "_bucket", Double(total))
            }
            family.sample([:], suffix: "_sum", histogram.sum)
            family.sample([:], suffix: "_count", Double(total))
        }
    }
}

/// The number without a fraction where it is whole.
private func number(_ value: Double) -> String {
    Int64(exactly: value).map(String.init) ?? "\(value)"
}
