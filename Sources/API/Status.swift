// SPDX-License-Identifier: GPL-2.0-or-later
package import FoundationEssentials

/// The answer to `GET /v1/status`.
package struct Status: Codable, Sendable, Hashable {
    /// Whether the kernel has the rules that the configuration asks for.
    package enum State: String, Codable, Sendable, Hashable, CaseIterable {
        /// The first comparison is under way, or waits for the xtables lock.
        case starting
        /// The kernel has the rules of the file.
        case inSync = "in-sync"
        /// The kernel differs: `on-drift` says to report only, or the repair is under way.
        case drifted
        /// The kernel has the rules of the last good configuration, since the file is missing or refused.
        case degraded
        /// The kernel does not have the rules, and the last attempt to change that failed.
        case failed

        /// Whether the kernel has the rules of the configuration in force.
        package var isSettled: Bool { self == .inSync || self == .degraded }
    }

    /// Whether the kernel has the rules that the configuration asks for.
    package var state: State
    /// Since when it has been in this state.
    package var since: Date
    /// Why it is not in sync; absent if it is, or where the state says it all.
    package var reason: String?
    /// When a failed attempt is made again; absent where none is due.
    package var nextAttempt: Date?
    /// The daemon's version.
    package var version: String
    /// The name of the machine.
    package var host: String
    /// The daemon's process.
    package var pid: Int32
    /// When it was started.
    package var started: Date
    /// What it works from.
    package var configuration: ConfigurationStatus
    /// The sockets that the daemon answers on.
    package var servers: [ServerStatus]
    /// Whether a rule of ours keeps connection tracking registered, so that transfers outlive another program's flush of nat.
    package var holdsConnectionTracking: Bool
    /// The last comparison that changed something, or failed, or was asked for; absent before the first.
    package var lastReconcile: ReconcileStatus?
    /// When the kernel was last seen to have all wanted rules; absent before that.
    package var lastVerified: Date?
    /// The tables that rules of ours are wanted or found in.
    package var tables: [TableStatus]
    /// How many services the configuration has; `services` may be a part of them.
    package var serviceCount: Int
    /// How many of them match what was asked for.
    package var matchingServices: Int
    /// What marks, in the order of the file: all of it, or the part that was asked for.
    package var services: [ServiceStatus]
    /// How many translations the configuration has; `masquerades` may be a part of them.
    package var masqueradeCount: Int
    /// How many of them match what was asked for.
    package var matchingMasquerades: Int
    /// What translates, in the order in which the first match decides: all of it, or the part that was asked for.
    package var masquerades: [MasqueradeStatus]
    /// Why IPVS' virtual services are not shown; absent where they are.
    package var ipvsError: String?
    /// What is not as it should be and cannot be repaired by fwmarkd.
    package var warnings: [String]
    /// The last thing that went wrong; absent if nothing did since the start.
    package var lastError: TimedMessage?

    /// A status of these parts.
    package init(
        state: State, since: Date? = nil, reason: String? = nil, nextAttempt: Date? = nil, version: String, host: String = "",
        pid: Int32, started: Date, configuration: ConfigurationStatus, servers: [ServerStatus] = [],
        holdsConnectionTracking: Bool = false, lastReconcile: ReconcileStatus? = nil,
        lastVerified: Date? = nil, tables: [TableStatus] = [], services: [ServiceStatus] = [],
        masquerades: [MasqueradeStatus] = [], ipvsError: String? = nil, warnings: [String] = [], lastError: TimedMessage? = nil
    ) {
        self.state = state
        self.since = since ?? started
        self.reason = reason
        self.nextAttempt = nextAttempt
        self.version = version
        self.host = host
        self.pid = pid
        self.started = started
        self.configuration = configuration
        self.servers = servers
        self.holdsConnectionTracking = holdsConnectionTracking
        self.lastReconcile = lastReconcile
        self.lastVerified = lastVerified
        self.tables = tables
        self.serviceCount = services.count
        self.matchingServices = services.count
        self.services = services
        self.masqueradeCount = masquerades.count
        self.matchingMasquerades = masquerades.count
        self.masquerades = masquerades
        self.ipvsError = ipvsError
        self.warnings = warnings
        self.lastError = lastError
    }
}
