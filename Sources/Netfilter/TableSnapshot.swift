package import Rules

/// How much a rule or a policy has seen.
package struct Counters: Sendable, Hashable {
    /// Packets that matched.
    package var packets: UInt64
    /// Their bytes, IP headers included.
    package var bytes: UInt64

    /// Counters of these values.
    package init(packets: UInt64 = 0, bytes: UInt64 = 0) {
        self.packets = packets
        self.bytes = bytes
    }
}

/// A rule as it stands in the kernel.
package struct KernelRule: Sendable, Hashable {
    /// What a rule says: one that fwmarkd could have made, or anything else.
    package enum Content: Sendable, Hashable {
        /// A rule in the terms of `Rules.Rule`.
        case rule(Rule)
        /// A rule with something in it that `Rules.Rule` has no words for.
        case opaque(OpaqueRule)

        /// The chain that the rule leads to.
        package var chain: ChainName? {
            switch self {
            case .rule(let rule): rule.target.chain
            case .opaque(let rule): rule.chain
            }
        }

        /// The rule's remark.
        package var comment: String? {
            switch self {
            case .rule(let rule): rule.comment
            case .opaque(let rule): rule.comment
            }
        }
    }

    /// What it says.
    package var content: Content
    /// What it has seen.
    package var counters: Counters

    /// Whether the rule, standing in a chain that is not ours, is a jump of ours: it leads into one of our chains and bears our
    /// remark, whatever else it says.
    package var isOurJump: Bool { content.chain?.isOurs == true && content.comment == Ruleset.jumpComment }

    /// A rule that says this and has seen so much.
    package init(_ content: Content, counters: Counters = Counters()) {
        self.content = content
        self.counters = counters
    }
}

extension KernelRule.Content: CustomStringConvertible {
    /// The rule in iptables syntax; an opaque one by the names of its parts.
    package var description: String {
        switch self {
        case .rule(let rule): rule.iptablesSyntax
        case .opaque(let rule): rule.description
        }
    }
}

/// A rule with something in it that `Rules.Rule` has no words for; kept as the kernel gave it.
package struct OpaqueRule: Sendable, Hashable {
    /// The whole entry (`ipt_entry` or `ip6t_entry`, its matches, its target) in the kernel's layout and the machine's byte
    /// order. Counters, `comefrom` and what stands behind the NUL of names are zero, so that equal rules are equal bytes. A
    /// jump's target bears the chain's name in place of its offset, as libiptc takes it.
    package let entry: [UInt8]
    /// The names of its matches, in order.
    package let matches: [String]
    /// The name of its target; empty for a jump, a verdict, or no target at all.
    package let target: String
    /// The chain that it leads to.
    package let chain: ChainName?
    /// Its remark, if it has a comment match.
    package let comment: String?
}

extension OpaqueRule: CustomStringConvertible {
    /// The names of its parts and its size: `[opaque: conntrack comment -j DNAT, 264 bytes]`.
    package var description: String {
        let target = chain.map { " -j \($0)" } ?? (target.isEmpty ? "" : " -j \(target)")
        return "[opaque: \(matches.joined(separator: " "))\(target), \(entry.count) bytes]"
    }
}

/// A chain as it stands in the kernel.
package struct ChainSnapshot: Sendable, Hashable {
    /// What becomes of packets that reach the end of a built-in chain.
    package struct Policy: Sendable, Hashable {
        /// The verdict's name: `ACCEPT` or `DROP`.
        package let verdict: String
        /// What has reached the end.
        package let counters: Counters

        /// A policy of this verdict whose counters stand so.
        package init(verdict: String, counters: Counters) {
            self.verdict = verdict
            self.counters = counters
        }
    }

    /// Its name.
    package let name: ChainName
    /// Its policy; nil for a chain that somebody made.
    package let policy: Policy?
    /// Its rules in order.
    package let rules: KernelRules

    /// A chain of these parts; without a policy one that somebody made.
    package init(name: ChainName, policy: Policy?, rules: [KernelRule]) {
        self.init(name: name, policy: policy, rules: KernelRules(rules))
    }

    init(name: ChainName, policy: Policy?, rules: KernelRules) {
        self.name = name
        self.policy = policy
        self.rules = rules
    }

    /// Whether the chain is the kernel's own.
    package var isBuiltIn: Bool { policy != nil }
}

/// A table as it stood in the kernel at one moment.
package struct TableSnapshot: Sendable {
    /// Which table.
    package let id: TableID
    /// Its chains in the kernel's order: built-in ones first.
    package let chains: [ChainSnapshot]
    private let numbers: [ChainName: Int]

    /// A snapshot of these chains.
    package init(_ id: TableID, chains: [ChainSnapshot]) {
        self.id = id
        self.chains = chains
        numbers = Dictionary(chains.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// The chains in the image.
    init(_ image: TableImage) {
        id = image.id
        numbers = image.numbers
        chains = image.chains.map { chain in
            ChainSnapshot(
                name: chain.name, policy: chain.policy.map { image.policy($0) }, rules: KernelRules(image, chain.entries))
        }
    }

    /// The number of the chain of that name in `chains`.
    package func number(of name: ChainName) -> Int? { numbers[name] }

    /// The chain of that name.
    package subscript(_ name: ChainName) -> ChainSnapshot? { numbers[name].map { chains[$0] } }
}

extension TableSnapshot: Hashable {
    /// Whether the tables have the same chains with the same rules and counters.
    package static func == (left: TableSnapshot, right: TableSnapshot) -> Bool { left.id == right.id && left.chains == right.chains }

    /// The hash of the table and its chains.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(chains)
    }
}

/// What `IPT_SO_GET_INFO` tells of a table without reading it.
package struct TableSize: Sendable, Hashable {
    /// How many entries it has, heads and ends of chains included.
    package let entries: UInt32
    /// How many bytes they take.
    package let bytes: UInt32

    /// A size of these numbers.
    package init(entries: UInt32, bytes: UInt32) {
        self.entries = entries
        self.bytes = bytes
    }
}
