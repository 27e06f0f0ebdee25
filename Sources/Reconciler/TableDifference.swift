public import Netfilter
public import Rules

/// Everything in one table that is not as it should be, and the changes that mend it.
///
/// A pure function of two values. What is not ours appears in neither list: our chains are those whose names begin with
/// `FWMARKD-`, and our jumps are the rules outside of them that lead into one and bear our comment.
public struct TableDifference: Sendable, Hashable {
    /// Where a missing jump is put into its hook.
    public enum HookPosition: Sendable, Hashable { case first, last }

    /// What our part of a table should be.
    public struct Goal: Sendable, Hashable {
        /// Our chains; none: nothing of ours is to be there.
        public var chains: [GoalChain]
        /// The jump from the hook; nil: none.
        public var jump: Rule?

        /// One of our chains.
        public struct GoalChain: Sendable, Hashable {
            /// Its name.
            public var name: ChainName
            /// Its rules, with the counters that those get which have to be put in.
            public var rules: [KernelRule]
        }

        /// What the ruleset wants of the table.
        public init(_ ruleset: Ruleset, _ id: TableID) {
            chains = (ruleset.tables[id] ?? []).map { chain in
                GoalChain(name: chain.name, rules: chain.rules.map { KernelRule(.rule($0)) })
            }
            jump = chains.isEmpty ? nil : Ruleset.jump(into: id.table)
        }

        /// What was there: the way back when another table's commit was refused.
        public init(restoring snapshot: TableSnapshot?, _ id: TableID) {
            let ours = snapshot?.chains.filter { $0.name.isOurs } ?? []
            chains = ours.map { GoalChain(name: $0.name, rules: $0.rules) }
            let jump = Ruleset.jump(into: id.table)
            let hadJump = snapshot?[id.table.hook]?.rules.contains { $0.content == .rule(jump) } ?? false
            self.jump = hadJump ? jump : nil
        }
    }

    /// Which table.
    public let id: TableID
    /// What differs.
    public private(set) var changes: [Change] = []
    /// What mends it, in the order in which it must be done.
    public private(set) var edits: [TableEdit] = []
    /// What cannot be mended without touching what is not ours.
    public private(set) var warnings: [String] = []

    /// Whether nothing differs.
    public var isEmpty: Bool { edits.isEmpty }

    /// How the table differs from the goal; a table that does not exist is empty.
    public init(_ id: TableID, from snapshot: TableSnapshot?, to goal: Goal, hookPosition: HookPosition) {
        self.id = id
        let standing = snapshot?.chains ?? []
        let ours = Dictionary(standing.filter { $0.name.isOurs }.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let wanted = Set(goal.chains.map(\.name))

        // Chains before the rules that lead to them. libiptc keeps chains sorted: in order each is put at the end.
        let missing = goal.chains.map(\.name).filter { ours[$0] == nil }.sorted()
        for name in missing {
            edits.append(.createChain(name))
            changes.append(Change(.addChain, id, name))
        }
        for chain in goal.chains { compare(chain, with: ours[chain.name]) }
        for chain in standing where !chain.name.isOurs {
            compareJumps(in: chain, wanted: chain.name == id.table.hook ? goal.jump : nil, hookPosition)
        }
        if snapshot == nil, let jump = goal.jump { addJump(jump, hookPosition, count: 0) }
        removeChains(standing.filter { $0.name.isOurs && !wanted.contains($0.name) }, standing)
    }

    // MARK: - Our chains

    private mutating func compare(_ chain: Goal.GoalChain, with standing: ChainSnapshot?) {
        guard let standing, !standing.rules.isEmpty else {
            for (index, rule) in chain.rules.enumerated() {
                edits.append(.append(chain.name, rule))
                changes.append(Change(.add, id, chain.name, rule.content, number: index + 1))
            }
            return
        }
        let difference = ChainDifference(from: standing.rules, to: chain.rules)
        // From the end, so that the numbers of those before still hold.
        for index in difference.removed.reversed() { edits.append(.delete(chain.name, index)) }
        var moved: [KernelRule.Content: Int] = [:]
        for insertion in difference.inserted where insertion.isMoved { moved[insertion.rule.content, default: 0] += 1 }
        for index in difference.removed {
            let content = standing.rules[index].content
            if let count = moved[content], count > 0 {
                moved[content] = count - 1
            } else {
                changes.append(Change(.remove, id, chain.name, content, number: index + 1))
            }
        }
        var count = standing.rules.count - difference.removed.count
        for insertion in difference.inserted {
            edits.append(
                insertion.index == count
                    ? .append(chain.name, insertion.rule) : .insert(chain.name, insertion.index, insertion.rule))
            count += 1
            changes.append(
                Change(insertion.isMoved ? .move : .add, id, chain.name, insertion.rule.content, number: insertion.index + 1))
        }
    }

    private mutating func removeChains(_ doomed: [ChainSnapshot], _ standing: [ChainSnapshot]) {
        // A rule of somebody else's may still lead into a chain of ours; the kernel does not let that chain go.
        var held: Set<ChainName> = []
        for chain in standing where !chain.name.isOurs {
            for rule in chain.rules where !isOurJump(rule) {
                if let target = rule.content.chain { held.insert(target) }
            }
        }
        for chain in doomed where !chain.rules.isEmpty {
            edits.append(.flush(chain.name))
            for (index, rule) in chain.rules.enumerated() {
                changes.append(Change(.remove, id, chain.name, rule.content, number: index + 1))
            }
        }
        for chain in doomed {
            if held.contains(chain.name) {
                warnings.append(
                    "\(id): the chain \(chain.name) is left empty, because a rule that is not ours leads into it; "
                        + "see `\(id.family.command) -t \(id.table) -S`")
            } else {
                edits.append(.deleteChain(chain.name))
                changes.append(Change(.removeChain, id, chain.name))
            }
        }
    }

    // MARK: - The jump

    private func isOurJump(_ rule: KernelRule) -> Bool {
        rule.content.chain?.isOurs == true && rule.content.comment == Ruleset.jump(into: id.table).comment
    }

    private mutating func compareJumps(in chain: ChainSnapshot, wanted: Rule?, _ hookPosition: HookPosition) {
        let ours = chain.rules.indices.filter { isOurJump(chain.rules[$0]) }
        let right = wanted.flatMap { wanted in ours.first { chain.rules[$0].content == .rule(wanted) } }
        for index in ours.reversed() where index != right {
            edits.append(.delete(chain.name, index))
            changes.append(Change(.remove, id, chain.name, chain.rules[index].content, number: index + 1))
        }
        guard let wanted, right == nil else { return }
        if let place = ours.first {
            // A jump that somebody altered is mended where it stands.
            edits.append(.insert(chain.name, place, KernelRule(.rule(wanted))))
            changes.append(Change(.add, id, chain.name, .rule(wanted), number: place + 1))
        } else {
            addJump(wanted, hookPosition, count: chain.rules.count)
        }
    }

    private mutating func addJump(_ jump: Rule, _ position: HookPosition, count: Int) {
        let hook = id.table.hook
        edits.append(
            position == .last || count == 0 ? .append(hook, KernelRule(.rule(jump))) : .insert(hook, 0, KernelRule(.rule(jump))))
        changes.append(Change(.add, id, hook, .rule(jump), number: position == .last ? count + 1 : 1))
    }
}
