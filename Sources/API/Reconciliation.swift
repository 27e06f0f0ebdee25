/// The answer to `POST /v1/reload` and `POST /v1/reconcile`: what was found and done.
public struct Reconciliation: Codable, Sendable, Hashable {
    /// The first of the changes in the order in which they were made; at most `changeLimit`.
    public var changes: [ChangeMessage]
    /// How many changes there were in all.
    public var changeCount: Int
    /// What is not as it should be and cannot be mended by fwmarkd.
    public var warnings: [String]
    /// How long it took.
    public var milliseconds: Double
    /// SHA-256 of the configuration in force.
    public var sha256: String

    /// How many changes are told one by one.
    public static let changeLimit = 1000

    /// An answer of these parts.
    public init(
        changes: [ChangeMessage], changeCount: Int, warnings: [String], milliseconds: Double, sha256: String
    ) {
        self.changes = changes
        self.changeCount = changeCount
        self.warnings = warnings
        self.milliseconds = milliseconds
        self.sha256 = sha256
    }
}

/// One difference between a table and what it should be.
public struct ChangeMessage: Codable, Sendable, Hashable {
    /// `add`, `remove`, `move`, `add-chain`, `remove-chain`.
    public var kind: String
    /// `ipv4` or `ipv6`.
    public var family: String
    /// `nat` or `mangle`.
    public var table: String
    /// The chain.
    public var chain: String
    /// The difference in iptables syntax behind `+` or `-`; two lines for a rule that moves.
    public var lines: [String]

    /// A change of these parts.
    public init(kind: String, family: String, table: String, chain: String, lines: [String]) {
        self.kind = kind
        self.family = family
        self.table = table
        self.chain = chain
        self.lines = lines
    }
}

/// The answer to `GET /v1/rules`.
public struct RuleList: Codable, Sendable, Hashable {
    /// Every rule of ours that stands in the kernel, our jumps included.
    public var rules: [RuleMessage]

    /// A list of these rules.
    public init(rules: [RuleMessage]) {
        self.rules = rules
    }
}

/// A rule of ours as it stands in the kernel.
public struct RuleMessage: Codable, Sendable, Hashable {
    /// `ipv4` or `ipv6`.
    public var family: String
    /// `nat` or `mangle`.
    public var table: String
    /// The chain.
    public var chain: String
    /// Its number in the chain, counted from 1.
    public var number: Int
    /// The rule as `iptables -S` prints it: `-A FWMARKD-MARK -d …`.
    public var rule: String
    /// Packets that matched.
    public var packets: UInt64
    /// Their bytes, IP headers included.
    public var bytes: UInt64

    /// A rule of these parts.
    public init(family: String, table: String, chain: String, number: Int, rule: String, packets: UInt64, bytes: UInt64) {
        self.family = family
        self.table = table
        self.chain = chain
        self.number = number
        self.rule = rule
        self.packets = packets
        self.bytes = bytes
    }
}
