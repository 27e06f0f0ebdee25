package import Netfilter
package import Rules

/// Everything in one table that is not as it should be, and the changes that mend it.
///
/// A pure function of two values. What is not ours appears in neither list: our chains are those whose names begin with
/// `FWMARKD-`, and our jumps are the rules outside of them that lead into one and bear our comment.
package struct TableDifference: Sendable, Hashable {
    /// Where a missing jump is put into its hook.
    package enum HookPosition: Sendable, Hashable { case first, last }

    /// What our part of a table should be.
    package struct Goal: Sendable, Hashable {
        /// Our chains; none: nothing of ours is to be there.
        package var chains: [GoalChain]
        /// Our jumps by the chain in which they stand, in their order.
        package var jumps: [ChainName: [GoalJump]]

        /// One of our chains.
        package struct GoalChain: Sendable, Hashable {
            /// Its name.
            package var name: ChainName
            /// Its rules, with the counters that those get which have to be put in.
            package var rules: KernelRules
        }

        /// One of our jumps.
        package struct GoalJump: Sendable, Hashable {
            /// The jump, with the counters that it gets if it has to be put in.
            package var rule: KernelRule
            /// Where it goes if it has to be put in, counted from 0; nil: where the hook position says.
            package var number: Int?
        }

        /// What the ruleset wants of the table.
        package init(_ ruleset: Ruleset, _ id: TableID) {
            chains = (ruleset.tables[id] ?? []).map { chain in
                GoalChain(name: chain.name, rules: KernelRules(chain.rules))
            }
            let jump = GoalJump(rule: KernelRule(.rule(Ruleset.jump(into: id.table))), number: nil)
            jumps = chains.isEmpty ? [:] : [id.table.hook: [jump]]
        }

        /// What was there: the way back when another table's commit was refused.
        package init(restoring snapshot: TableSnapshot?) {
            chains = []
            jumps = [:]
            for chain in snapshot?.chains ?? [] {
                if chain.name.isOurs {
                    chains.append(GoalChain(name: chain.name, rules: chain.rules))
                } else {
                    let jumps = chain.rules.leadingIntoOurChains.map { GoalJump(rule: chain.rules[$0], number: $0) }
                    self.jumps[chain.name] = jumps.filter(\.rule.isOurJump)
                }
            }
        }
    }

    /// Which table.
    package let id: TableID
    /// What differs.
    package private(set) var changes: [Change] = []
    /// What mends it, in the order in which it must be done.
    package private(set) var edits: [TableEdit] = []
    /// What cannot be mended without touching what is not ours.
    package private(set) var warnings: [String] = []

    /// Whether nothing differs.
    package var isEmpty: Bool { edits.isEmpty }

    /// How the table differs from the goal; a table that does not exist is empty.
    package init(_ id: TableID, from snapshot: TableSnapshot?, to goal: Goal, hookPosition: HookPosition) {
        self.id = id
        let standing = snapshot?.chains ?? []
        var isWanted = [Bool](repeating: false, count: standing.count)
        var missing: [ChainName] = []
        var differences: [(name: ChainName, ChainDifference)] = []
        for chain in goal.chains {
            let number = snapshot?.number(of: chain.name)
            if let number { isWanted[number] = true } else { missing.append(chain.name) }
            let difference = ChainDifference(from: number.map { standing[$0].rules } ?? [], to: chain.rules)
            if !difference.isEmpty { differences.append((chain.name, difference)) }
        }
        let doomed = standing.indices.filter { standing[$0].name.isOurs && !isWanted[$0] }.map { standing[$0] }

        missing.sort()
        for name in missing { changes.append(Change(.addChain, id, name)) }
        // A rule that leaves one chain of ours for another one takes its counters with it.
        var leaving = Leaving()
        for chain in doomed { leaving.add(chain.rules, chain.rules.indices) }
        for (_, difference) in differences { leaving.add(difference.standing, difference.removed) }
        for (_, difference) in differences { leaving.take(difference.standing, difference.inserted.compactMap(\.from)) }
        var mending: [(name: ChainName, edits: [TableEdit])] = []
        for (name, difference) in differences { mending.append((name, change(name, difference, &leaving))) }
        make(missing, mending)

        for chain in standing where !chain.name.isOurs {
            changeJumps(in: chain.name, chain.rules, to: goal.jumps[chain.name] ?? [], hookPosition)
        }
        if snapshot == nil {
            for (name, jumps) in goal.jumps { changeJumps(in: name, [], to: jumps, hookPosition) }
        }
        removeChains(doomed, standing)
    }

    // MARK: - Our chains

    /// Makes the missing chains, and does what brings each chain to what it should be.
    ///
    /// From the last name to the first, and the rules of each behind it: libiptc keeps chains sorted and finds the first of them at
    /// once, where it walks past hundreds of names to find one that was made a while ago. Rules that lead to a chain which is still
    /// to be made have to wait.
    private mutating func make(_ missing: [ChainName], _ mending: [(name: ChainName, edits: [TableEdit])]) {
        var numbers: [ChainName: Int] = [:]
        for (number, chain) in mending.enumerated() { numbers[chain.name] = number }
        var isDone = [Bool](repeating: false, count: mending.count)
        var unmade = Set(missing)
        for name in missing.reversed() {
            edits.append(.createChain(name))
            unmade.remove(name)
            guard let number = numbers[name], unmade.isDisjoint(with: mending[number].edits.targets) else { continue }
            edits += mending[number].edits
            isDone[number] = true
        }
        for (number, chain) in mending.enumerated() where !isDone[number] { edits += chain.edits }
    }

    /// What brings one chain to what it should be.
    private mutating func change(
        _ name: ChainName, _ difference: ChainDifference, _ leaving: inout Leaving
    ) -> [TableEdit] {
        var edits: [TableEdit] = []
        let (standing, wanted) = (difference.standing, difference.wanted)
        if standing.isEmpty, leaving.isEmpty {
            edits.append(.appendAll(name, wanted))
            changes += wanted.indices.map { Change(.add, id, name, wanted, $0, number: $0 + 1) }
            return edits
        }
        // From the end, so that the numbers of those before still hold.
        for index in difference.removed.reversed() { edits.append(.delete(name, index)) }
        let moved = Set(difference.inserted.compactMap(\.from))
        for index in difference.removed where !moved.contains(index) {
            changes.append(Change(.remove, id, name, standing, index, number: index + 1))
        }
        var count = standing.count - difference.removed.count
        for (index, from) in difference.inserted {
            var rule = from.map { standing[$0] } ?? wanted[index]
            if from == nil, let counters = leaving.counters(for: rule.content) { rule.counters = counters }
            edits.append(index == count ? .append(name, rule) : .insert(name, index, rule))
            count += 1
            changes.append(Change(from == nil ? .add : .move, id, name, wanted, index, number: index + 1))
        }
        return edits
    }

    private mutating func removeChains(_ doomed: [ChainSnapshot], _ standing: [ChainSnapshot]) {
        // A rule of somebody else's may still lead into a chain of ours; the kernel does not let that chain go.
        guard !doomed.isEmpty else { return }
        var held: Set<ChainName> = []
        for chain in standing where !chain.name.isOurs {
            for index in chain.rules.leadingIntoOurChains where !chain.rules[index].isOurJump {
                if let target = chain.rules[index].content.chain { held.insert(target) }
            }
        }
        for chain in doomed where !chain.rules.isEmpty {
            edits.append(.flush(chain.name))
            changes += chain.rules.indices.map { Change(.remove, id, chain.name, chain.rules, $0, number: $0 + 1) }
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

    // MARK: - The jumps

    private mutating func changeJumps(
        in name: ChainName, _ standing: KernelRules, to wanted: [Goal.GoalJump], _ hookPosition: HookPosition
    ) {
        let ours = standing.leadingIntoOurChains.filter { standing[$0].isOurJump }
        var staying: Set<Int> = []
        var missing: [Goal.GoalJump] = []
        for jump in wanted {
            let place = ours.first { !staying.contains($0) && standing[$0].content == jump.rule.content }
            if let place { staying.insert(place) } else { missing.append(jump) }
        }
        for index in ours.reversed() where !staying.contains(index) {
            edits.append(.deleteJump(name, index))
            changes.append(Change(.remove, id, name, standing, index, number: index + 1))
        }
        var count = standing.count - ours.count + staying.count
        for jump in missing {
            // One that somebody altered is mended where it stands.
            let place = min(jump.number ?? ours.first ?? (hookPosition == .first ? 0 : count), count)
            edits.append(place == count ? .append(name, jump.rule) : .insert(name, place, jump.rule))
            changes.append(Change(.add, id, name, jump.rule.content, number: place + 1))
            count += 1
        }
    }
}

/// The rules that leave their chain, with what they have counted, for those that come into another one with the same words. A
/// rule that only gets or loses its comment is such a one too.
private struct Leaving {
    private var counters: [KernelRule.Content: [(comment: String?, counters: Counters)]] = [:]

    var isEmpty: Bool { counters.isEmpty }

    mutating func add(_ rules: KernelRules, _ numbers: some Sequence<Int>) {
        for rule in numbers.lazy.map({ rules[$0] }) where rule.counters != Counters() {
            counters[rule.content.withoutComment, default: []].append((rule.content.comment, rule.counters))
        }
    }

    mutating func take(_ rules: KernelRules, _ numbers: [Int]) {
        guard !counters.isEmpty else { return }
        for number in numbers { _ = counters(for: rules[number].content) }
    }

    mutating func counters(for content: KernelRule.Content) -> Counters? {
        let key = content.withoutComment
        guard !counters.isEmpty, var rest = counters[key], !rest.isEmpty else { return nil }
        let best = rest.remove(at: rest.firstIndex { $0.comment == content.comment } ?? 0)
        counters[key] = rest
        return best.counters
    }
}

extension [TableEdit] {
    /// The chains that rules which they put in lead to.
    fileprivate var targets: [ChainName] {
        flatMap { edit -> [ChainName] in
            switch edit {
            case .append(_, let rule), .insert(_, _, let rule): rule.content.chain.map { [$0] } ?? []
            case .appendAll(_, let rules): rules.targets
            default: []
            }
        }
    }
}

extension KernelRule.Content {
    /// What the rule does, whatever it is called.
    fileprivate var withoutComment: KernelRule.Content {
        guard case .rule(var rule) = self else { return self }
        rule.comment = nil
        return .rule(rule)
    }
}
