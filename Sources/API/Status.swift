package import FoundationEssentials

/// The answer to `GET /v1/status`.
package struct Status: Codable, Sendable, Hashable {
    /// Whether the kernel has the rules that the file wants.
    package enum State: String, Codable, Sendable, Hashable, CaseIterable {
        /// It has.
        case inSync = "in-sync"
        /// It has not, and `on-drift` says to report only; or the repair is under way.
        case drifted
        /// It has the rules of the last good configuration, since the file is missing or bad.
        case degraded
        /// It has not, and the last attempt to mend that failed.
        case failed
    }

    /// Whether all is well.
    package var state: State
    /// The daemon's version.
    package var version: String
    /// The daemon's process.
    package var pid: Int32
    /// When it was started.
    package var started: Date
    /// What it works from.
    package var configuration: ConfigurationStatus
    /// The last comparison that changed something, or failed, or was asked for; absent before the first.
    package var lastReconcile: ReconcileStatus?
    /// When the kernel was last seen to have the wanted rules, whole; absent before that.
    package var lastVerified: Date?
    /// The tables that rules of ours are wanted or found in.
    package var tables: [TableStatus]
    /// Everything that marks, in the order of the file.
    package var services: [ServiceStatus]
    /// Everything that translates, in the order in which the first match decides.
    package var masquerades: [MasqueradeStatus]
    /// What is not as it should be and cannot be mended by fwmarkd.
    package var warnings: [String]
    /// The last thing that went wrong; absent if nothing did since the start.
    package var lastError: TimedMessage?

    /// A status of these parts.
    package init(
        state: State, version: String, pid: Int32, started: Date, configuration: ConfigurationStatus,
        lastReconcile: ReconcileStatus? = nil, lastVerified: Date? = nil, tables: [TableStatus] = [],
        services: [ServiceStatus] = [],
        masquerades: [MasqueradeStatus] = [], warnings: [String] = [], lastError: TimedMessage? = nil
    ) {
        self.state = state
        self.version = version
        self.pid = pid
        self.started = started
        self.configuration = configuration
        self.lastReconcile = lastReconcile
        self.lastVerified = lastVerified
        self.tables = tables
        self.services = services
        self.masquerades = masquerades
        self.warnings = warnings
        self.lastError = lastError
    }
}

/// What the daemon works from.
package struct ConfigurationStatus: Codable, Sendable, Hashable {
    /// The file.
    package var path: String
    /// SHA-256 of what is in force, over the file and its `conf.d`, in lower-case hexadecimal.
    package var sha256: String
    /// When what is in force was read.
    package var loaded: Date
    /// Whether what is in force is the last good configuration out of the state directory.
    package var fallback: Bool
    /// What is wrong with the file as it stands; empty if it was read and found right.
    package var faults: [FaultMessage]

    /// A status of these parts.
    package init(path: String, sha256: String, loaded: Date, fallback: Bool = false, faults: [FaultMessage] = []) {
        self.path = path
        self.sha256 = sha256
        self.loaded = loaded
        self.fallback = fallback
        self.faults = faults
    }
}

/// One thing that is wrong in a configuration file.
package struct FaultMessage: Codable, Sendable, Hashable {
    /// The file's path.
    package var file: String
    /// The line, counted from 1.
    package var line: Int
    /// The column in characters, counted from 1.
    package var column: Int
    /// The way to the value: `services[3].tcp[1]`.
    package var path: String
    /// What is wrong.
    package var problem: String
    /// What is expected instead.
    package var expected: String

    /// A fault of these parts.
    package init(file: String, line: Int, column: Int, path: String, problem: String, expected: String) {
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.problem = problem
        self.expected = expected
    }

    /// `file:line:column: path: what is wrong; what is expected`
    package var text: String { "\(file):\(line):\(column): \(path.isEmpty ? "" : path + ": ")\(problem); expected \(expected)" }
}

/// Something that happened, and when.
package struct TimedMessage: Codable, Sendable, Hashable {
    /// When.
    package var time: Date
    /// What.
    package var message: String

    /// A message of that time.
    package init(time: Date, message: String) {
        self.time = time
        self.message = message
    }
}

/// What a comparison found and did.
package struct ReconcileStatus: Codable, Sendable, Hashable {
    /// What made the daemon compare.
    package var trigger: Trigger
    /// When it was done.
    package var time: Date
    /// How long it took, waiting for the xtables lock included.
    package var milliseconds: Double
    /// How many changes were found; made, unless it failed or `on-drift` is `report`.
    package var changes: Int
    /// How often it was tried.
    package var attempts: Int
    /// Why it failed; absent if it did not.
    package var error: String?

    /// A status of these parts.
    package init(trigger: Trigger, time: Date, milliseconds: Double, changes: Int, attempts: Int, error: String? = nil) {
        self.trigger = trigger
        self.time = time
        self.milliseconds = milliseconds
        self.changes = changes
        self.attempts = attempts
        self.error = error
    }
}

/// What makes the daemon compare.
package enum Trigger: String, Codable, Sendable, Hashable, CaseIterable {
    /// Its start.
    case boot
    /// SIGHUP, or a request to read the file again.
    case reload
    /// A request to compare.
    case request
    /// `resync-interval`.
    case resync
    /// A table's size is not what it was.
    case size
    /// Somebody took the xtables lock.
    case lock
    /// The last attempt failed, or was undone by somebody.
    case retry
}

/// A table that rules of ours are wanted or found in.
package struct TableStatus: Codable, Sendable, Hashable {
    /// `ipv4` or `ipv6`.
    package var family: String
    /// `nat` or `mangle`.
    package var table: String
    /// How many chains of ours it has.
    package var chains: Int
    /// How many rules stand in them.
    package var rules: Int
    /// How many rules it has that are not ours, our jump left out.
    package var foreignRules: Int

    /// A status of these parts.
    package init(family: String, table: String, chains: Int, rules: Int, foreignRules: Int) {
        self.family = family
        self.table = table
        self.chains = chains
        self.rules = rules
        self.foreignRules = foreignRules
    }
}

/// A service and what it has seen.
package struct ServiceStatus: Codable, Sendable, Hashable {
    /// Its name.
    package var name: String
    /// Its mark: decimal, or value and mask in hexadecimal.
    package var mark: String
    /// Its virtual addresses, with a prefix length where they are blocks.
    package var addresses: [String]
    /// Its ports: `tcp/21`, `tcp/10000-20000`.
    package var ports: [String]
    /// The interface its packets come in by; absent: any.
    package var inInterface: String?
    /// Packets that got the mark from its rules since these were made.
    package var packets: UInt64
    /// Their bytes, IP headers included.
    package var bytes: UInt64

    /// A status of these parts.
    package init(
        name: String, mark: String, addresses: [String], ports: [String], inInterface: String? = nil, packets: UInt64 = 0,
        bytes: UInt64 = 0
    ) {
        self.name = name
        self.mark = mark
        self.addresses = addresses
        self.ports = ports
        self.inInterface = inInterface
        self.packets = packets
        self.bytes = bytes
    }
}

/// A source translation and what it has seen.
package struct MasqueradeStatus: Codable, Sendable, Hashable {
    /// Its name.
    package var name: String
    /// Whose packets.
    package var sources: [String]
    /// Their source ports: `tcp/20`; empty: every packet.
    package var ports: [String]
    /// Where they go; empty: anywhere.
    package var destinations: [String]
    /// The interface they leave by; absent: any.
    package var outInterface: String?
    /// What their source becomes: `masquerade` or an address.
    package var to: String
    /// First packets of connections that were translated by its rules since these were made.
    package var packets: UInt64
    /// Their bytes, IP headers included.
    package var bytes: UInt64

    /// A status of these parts.
    package init(
        name: String, sources: [String], ports: [String], destinations: [String] = [], outInterface: String? = nil, to: String,
        packets: UInt64 = 0, bytes: UInt64 = 0
    ) {
        self.name = name
        self.sources = sources
        self.ports = ports
        self.destinations = destinations
        self.outInterface = outInterface
        self.to = to
        self.packets = packets
        self.bytes = bytes
    }
}
