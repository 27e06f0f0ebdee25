// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import Rules

/// Messages as a daemon would send them.
enum Samples {
    static func time(_ text: String) -> Date { (try? Date.ISO8601FormatStyle().parse(text)) ?? .distantPast }

    /// All well.
    static var status: Status {
        Status(
            state: .inSync, version: "0.1.0", pid: 4711, started: Date.now.addingTimeInterval(-3 * 86400 - 4 * 3600 - 60),
            configuration: ConfigurationStatus(
                path: "/etc/fwmarkd/fwmarkd.yaml", sha256: String(repeating: "0123456789abcdef", count: 4),
                loaded: time("2026-11-25T12:00:00Z")),
            lastReconcile: ReconcileStatus(
                trigger: .reload, time: time("2026-11-25T12:00:01Z"), milliseconds: 4.25, changes: 3, attempts: 1),
            lastVerified: time("2026-11-25T12:30:00Z"),
            tables: [TableStatus(family: .ipv4, table: .nat, chains: 1, rules: 1, foreignRules: 12)],
            services: [
                ServiceStatus(
                    name: "ftp", mark: "21", addresses: ["203.0.113.10"], ports: ["tcp/21", "tcp/10000-20000"], packets: 1234,
                    bytes: 5_000_000),
                ServiceStatus(
                    name: "a-long-name.example", mark: "0x100/0xff00", addresses: ["203.0.113.20", "2001:db8:1234::5678"],
                    ports: ["tcp/80", "udp/443"], inInterfaces: ["eth0"]),
            ],
            masquerades: [
                MasqueradeStatus(
                    name: "ftp", sources: ["10.11.12.0/24"], ports: ["tcp/20"], to: "masquerade", packets: 7, bytes: 420)
            ])
    }

    /// Not in sync, with all that can be said about it.
    static var troubled: Status {
        var status = status
        status.state = .degraded
        status.configuration.fallback = true
        status.configuration.errors = [
            FileError(file: "/etc/fwmarkd/fwmarkd.yaml", line: 3, column: 5, path: "ftp", message: "not a list")
        ]
        status.warnings = ["ipv4 nat: another program's rule leads into our chain"]
        status.lastError = TimedMessage(time: time("2026-11-25T12:31:00Z"), message: "the file is refused:\nline by line")
        status.lastReconcile?.error = "another program has the lock"
        return status
    }

    static let reconciliation = Reconciliation(
        changes: [
            ChangeMessage(
                kind: .addChain, family: .ipv4, table: .nat, chain: "fwmarkd-nat",
                lines: ["+ iptables-legacy -t nat -N fwmarkd-nat"]),
            ChangeMessage(
                kind: .remove, family: .ipv4, table: .nat, chain: "fwmarkd-nat", lines: ["- iptables moved", "+ iptables moved"]),
        ], changeCount: 2, warnings: ["something to know"], milliseconds: 1.24, sha256: "00")

    static let events = [
        Event(id: 1, time: time("2026-11-25T12:00:00Z"), kind: .started, message: "fwmarkd 0.1.0 started with f"),
        Event(
            id: 2, time: time("2026-11-25T12:00:01Z"), kind: .drift, message: "the kernel differs",
            lines: ["+ iptables one", "- two"],
            changeCount: 2),
    ]
}
