// SPDX-License-Identifier: GPL-2.0-or-later
package import Netfilter
package import Rules

/// Everything in one table that is not as it should be, and the changes that repair it.
///
/// A pure function of two values. What is not ours is in neither list, unless the goal names it: our chains are those whose names begin
/// with `fwmarkd-`, and our jumps are the rules of hooks that lead into one of our entry chains and ask for nothing.
package struct TableDifference: Sendable, Hashable {
    /// What our part of a table should be.
    package struct Goal: Sendable, Hashable {
        /// Our chains; none: nothing of ours is to be there.
        package var chains: [GoalChain]
        /// Our jumps by the chain of the hook, in their order.
        package var jumps: [ChainName: [GoalJump]]
        /// The numbers, counted from 0, of other programs' rules that are to go.
        package var removed: [ChainName: Set<Int>] = [:]

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
            jumps = [:]
            for (hook, jump) in ruleset.jumps(id) { jumps[hook.chain] = [GoalJump(rule: KernelRule(jump), number: nil)] }
        }

        /// What was there: the way back when another table's commit was refused.
        package init(restoring snapshot: TableSnapshot?) {
            chains = []
            jumps = [:]
            for chain in snapshot?.chains ?? [] {
                if chain.name.isOurs {
                    chains.append(GoalChain(name: chain.name, rules: chain.rules))
                } else if chain.isBuiltIn {
                    let jumps = chain.rules.leadingIntoOurChains.map { GoalJump(rule: chain.rules[$0], number: $0) }
                    self.jumps[chain.name] = jumps.filter(\.rule.isOurJump)
                }
            }
        }
    }

    /// Which table.
    package let id: TableID
    /// What differs.
    package private(set) var changes = Changes()
    /// What repairs it, in the order in which it must be done.
    package private(set) var edits: [TableEdit] = []
    /// What cannot be repaired.
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
        let unwanted = standing.indices.filter { standing[$0].name.isOurs && !isWanted[$0] }.map { standing[$0] }
        let doomed = unwanted.filter(\.name.isUsable)

        missing.sort()
        for name in missing { changes.append(Change(.addChain, id, name)) }
        // A rule that leaves one chain of ours for another one takes its counters with it.
        var leaving = Leaving()
        for chain in doomed { leaving.add(chain.rules, chain.rules.indices) }
        for (_, difference) in differences { leaving.add(difference.standing, difference.removed) }
        for (_, difference) in differences { leaving.take(difference.standing, difference.inserted.compactMap(\.from)) }
        var repairs: [(name: ChainName, edits: [TableEdit])] = []
        for (name, difference) in differences { repairs.append((name, change(name, difference, &leaving))) }
        make(missing, repairs)

        for chain in standing where !chain.name.isOurs {
            changeOthers(in: chain, to: goal.jumps[chain.name] ?? [], without: goal.removed[chain.name] ?? [], hookPosition)
        }
        if snapshot == nil {
            for (name, jumps) in goal.jumps.sorted(by: { $0.key < $1.key }) {
                changeOthers(in: ChainSnapshot(name: name, policy: nil, rules: []), to: jumps, without: [], hookPosition)
            }
        }
        for chain in unwanted where !chain.name.isUsable {
            warnings.append("\(id): the chain \(chain.name) cannot be removed: its name is too long for libiptc")
        }
        removeChains(doomed, standing)
    }

    // MARK: - Our chains

    /// Makes the missing chains, and does what brings each chain to what it should be.
    ///
    /// From the last name to the first, and the rules of each after it: libiptc keeps chains sorted and finds the first of them at
    /// once, where it walks past hundreds of names to find one that was made a while ago. Rules that lead to a chain which is still
    /// to be made have to wait.
    private mutating func make(_ missing: [ChainName], _ repairs: [(name: ChainName, edits: [TableEdit])]) {
        var numbers: [ChainName: Int] = [:]
        for (number, chain) in repairs.enumerated() { numbers[chain.name] = number }
        var isDone = [Bool](repeating: false, count: repairs.count)
        var unmade = Set(missing)
        for name in missing.reversed() {
            edits.append(.createChain(name))
            unmade.remove(name)
            guard let number = numbers[name], unmade.isDisjoint(with: repairs[number].edits.targets) else { continue }
            edits += repairs[number].edits
            isDone[number] = true
        }
        for (number, chain) in repairs.enumerated() where !isDone[number] { edits += chain.edits }
    }

    /// What brings one chain to what it should be.
    private mutating func change(
        _ name: ChainName, _ difference: ChainDifference, _ leaving: inout Leaving
    ) -> [TableEdit] {
        var edits: [TableEdit] = []
        let (standing, wanted) = (difference.standing, difference.wanted)
        if standing.isEmpty, leaving.isEmpty {
            edits.append(.appendAll(name, wanted))
            changes.append(allFrom: Change(.add, id, name, wanted, 0, number: 1), step: 1)
            return edits
        }
        // From the end, so that the numbers of those before still hold.
        for index in difference.removed.reversed() { edits.append(.delete(name, index)) }
        var count = standing.count - difference.removed.count
        for (index, from) in difference.inserted {
            var rule = from.map { standing[$0] } ?? wanted[index]
            if from == nil, let counters = leaving.counters(for: rule.content) { rule.counters = counters }
            edits.append(index == count ? .append(name, rule) : .insert(name, index, rule))
            count += 1
        }
        tell(name, difference)
        return edits
    }

    /// The changes of a chain from its beginning to its end, old beside new: whatever is before one of them is as it should be.
    private mutating func tell(_ name: ChainName, _ difference: ChainDifference) {
        let (standing, wanted) = (difference.standing, difference.wanted)
        var removed = difference.removed[...]
        var inserted = difference.inserted[...]
        var (found, done) = (0, 0)
        while !removed.isEmpty || !inserted.isEmpty {
            if removed.first == found {
                changes.append(Change(.remove, id, name, standing, found, number: done + 1))
                removed.removeFirst()
                found += 1
            } else if inserted.first?.index == done {
                changes.append(Change(.add, id, name, wanted, done, number: done + 1))
                inserted.removeFirst()
                done += 1
            } else {
                found += 1
                done += 1
            }
        }
    }

    private mutating func removeChains(_ doomed: [ChainSnapshot], _ standing: [ChainSnapshot]) {
        // A rule that is not ours, or that we cannot reach, may still lead into a chain of ours; the kernel does not let it go.
        guard !doomed.isEmpty else { return }
        var held: Set<ChainName> = []
        for chain in standing where !chain.name.isOurs || !chain.name.isUsable {
            for index in chain.rules.leadingIntoOurChains where !(chain.isBuiltIn && chain.rules[index].isOurJump) {
                if let target = chain.rules[index].content.chain { held.insert(target) }
            }
        }
        for chain in doomed where !chain.rules.isEmpty {
            edits.append(.flush(chain.name))
            changes.append(allFrom: Change(.remove, id, chain.name, chain.rules, 0, number: 1), step: 0)
        }
        for chain in doomed {
            if held.contains(chain.name) {
                warnings.append(
                    "\(id): the chain \(chain.name) is left empty, because a rule that is not ours leads into it; "
                        + "see `\(id.family.command)-legacy -t \(id.table) -S`")
            } else {
                edits.append(.deleteChain(chain.name))
                changes.append(Change(.removeChain, id, chain.name))
            }
        }
    }

    // MARK: - Chains that are not ours

    /// Makes our jumps in a hook right, and takes out what is to go.
    private mutating func changeOthers(
        in chain: ChainSnapshot, to wanted: [Goal.GoalJump], without removed: Set<Int>, _ hookPosition: HookPosition
    ) {
        let (name, standing) = (chain.name, chain.rules)
        let ours = chain.isBuiltIn ? standing.leadingIntoOurChains.filter { standing[$0].isOurJump } : []
        var staying: Set<Int> = []
        var missing: [Goal.GoalJump] = []
        for jump in wanted {
            let place = ours.first { !staying.contains($0) && standing[$0].content == jump.rule.content }
            if let place { staying.insert(place) } else { missing.append(jump) }
        }
        let going = (ours.filter { !staying.contains($0) } + removed).sorted()
        for index in going.reversed() { edits.append(.deleteForeign(name, index, standing[index].content)) }
        for (count, index) in going.enumerated() {
            changes.append(Change(.remove, id, name, standing, index, number: index + 1 - count))
        }
        var count = standing.count - going.count
        for jump in missing {
            let place = min(jump.number ?? (hookPosition == .first ? 0 : count), count)
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
        // Most have seen nothing: they are not even decoded.
        for number in numbers where rules.counters(of: number) != Counters() {
            let rule = rules[number]
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
        guard entry == nil else { return self }
        var rule = rule
        rule.comment = nil
        return KernelRule.Content(rule)
    }
}
