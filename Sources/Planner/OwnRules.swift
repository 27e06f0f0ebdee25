// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// The rules of one service or translation: what its packets are, and what is done with them.
struct OwnRules {
    /// Its name, and its number among all owners.
    let name: String
    let owner: Int32
    /// The addresses that its rules are placed by.
    let placed: AddressChoice
    /// Its protocols and ports.
    let traffic: [NumberedTraffic]
    /// What else it asks.
    let alternatives: Alternatives
    /// What is done, one rule after the other; rules with a target that ends the table are the only ones.
    let targets: [Target]

    /// How many rules an entry chain has of it at most, before it gets a chain of its own for being shorter so.
    private static let inlineRules = 4

    /// Adds the rules to the entry chains, and to the draft the chains that they need.
    ///
    /// Where one rule cannot say it, or many rules would be needed, there is a chain of its own: it leaves with RETURN for what is
    /// excepted, and then has one rule for each source, interface or sender.
    func add(to draft: inout TableDraft, _ entries: [Int]) {
        var rules: [PlacedRule] = []
        let needsChain = needsChain
        let rests = (needsChain ? [alternatives.common] : alternatives.all).map { draft.parts.number(ofRest: $0) }
        let end = needsChain ? ownChain(&draft).map { [Target.jump($0)] } ?? targets : targets
        let endNumbers = end.map { draft.parts.number(ofTarget: $0) }
        let needsPorts = needsChain && placed.included.count > 1
        for traffic in traffic {
            var (numbers, targets) = (traffic.parts, endNumbers)
            if needsPorts, traffic.parts.count > 1 {
                targets = [draft.parts.number(ofTarget: .jump(portsChain(traffic, end, &draft)))]
                numbers = [traffic.whole]
            }
            for number in numbers {
                for rest in rests {
                    for target in targets {
                        rules.append(
                            PlacedRule(prefix: placed.included[0], traffic: number, rest: rest, target: target, owner: owner))
                    }
                }
            }
        }
        for entry in entries {
            draft.entries[entry] += rules
            for prefix in placed.included.dropFirst() {
                draft.entries[entry] += rules.lazy.map {
                    PlacedRule(prefix: prefix, traffic: $0.traffic, rest: $0.rest, target: $0.target, owner: $0.owner)
                }
            }
        }
    }

    private var needsChain: Bool {
        if !alternatives.exceptions.isEmpty || alternatives.count > OwnRules.inlineRules { return true }
        let places = placed.included.count
        let parts = traffic.reduce(0) { $0 + $1.parts.count }
        let inline = places * parts * alternatives.count * targets.count
        let below = alternatives.lists.isEmpty ? 0 : alternatives.lists.reduce(0) { $0 + $1.count } * targets.count
        let portRules = traffic.reduce(0) { $0 + ($1.parts.count > 1 ? $1.parts.count : 0) }
        let own = (places > 1 ? places * traffic.count + portRules : parts) + below
        return inline > OwnRules.inlineRules && own < inline
    }

    /// The chain of what all of its packets have in common besides ports; nil: they have nothing more.
    private func ownChain(_ draft: inout TableDraft) -> ChainName? {
        guard !alternatives.exceptions.isEmpty || !alternatives.lists.isEmpty else { return nil }
        let name = draft.names.own(draft.id.table == .nat ? "x" : "s", name)
        var place = draft.open(name)
        for match in alternatives.exceptions { draft.append(Rule(match, target: .returnToCaller), owner: owner, to: place) }
        // The longest list last, so that it is there once.
        let lists = alternatives.lists.sorted { $0.count < $1.count }
        for (number, list) in lists.dropLast().enumerated() {
            let next = draft.names.inner(self.name, "list", number)
            for match in list { draft.append(Rule(match, target: .jump(next)), owner: owner, to: place) }
            place = draft.open(next)
        }
        for match in lists.last ?? [RuleMatch()] {
            for target in targets { draft.append(Rule(match, target: target), owner: owner, to: place) }
        }
        return name
    }

    /// The chain of a protocol's ports, which do not fit into one match, for all addresses.
    private func portsChain(_ traffic: NumberedTraffic, _ end: [Target], _ draft: inout TableDraft) -> ChainName {
        let name = draft.names.inner(self.name, "ports", Int(traffic.whole))
        let numbers = end.map { draft.parts.number(ofTarget: $0) }
        let everything = Prefix.everything(draft.id.family)
        let rules = traffic.parts.flatMap { part in
            numbers.map { PlacedRule(prefix: everything, traffic: part, rest: 0, target: $0, owner: owner) }
        }
        draft.addPorts(rules, name)
        return name
    }
}
