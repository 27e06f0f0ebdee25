// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension TableDraft {
    /// Makes the chains of rules whose order is free: marks and helpers.
    ///
    /// The rules of TCP, UDP, SCTP and of all else are a tree each. A packet is in one of the first three at most, and goes to it
    /// where all rules of the tree are about the same ports only if it has one of these.
    mutating func layOut(_ rules: [PlacedRule], _ entry: ChainName, _ hook: Hook) {
        guard rules.count > layout.plainLimit else { return layOutPlainly(rules, entry) }
        let place = open(entry)
        var list = OwnedRules()
        let letter = id.table == .raw ? "h" : hook == .input ? "i" : hook == .output ? "o" : "m"
        for group in ProtocolGroup.all(rules, parts) {
            let order = DispatchTree.sorted(rules, group.rules)
            guard order.count > DispatchTree.inlineRules else {
                for index in order { list.append(parts.rule(rules[index]), owner: rules[index].owner) }
                continue
            }
            let tree = DispatchTree(rules, order, parts, kind: letter + group.letter)
            tree.add(to: &self, entering: &list, from: group.transport, returns: group.isForOthersToo)
        }
        set(list, at: place)
    }

    /// Makes the chains of rules of which the first that matches decides: translations.
    mutating func layOutInOrder(_ rules: [PlacedRule], _ entry: ChainName) {
        guard rules.count > layout.plainLimit else { return layOutPlainly(rules, entry) }
        let place = open(entry)
        let stack = RuleLayers(rules)
        var list = OwnedRules()
        // What cannot be had in one tree is had in several, one after the other.
        for (number, layer) in stack.layers.enumerated() {
            if layer.count <= (stack.layers.count == 1 ? DispatchTree.inlineRules : layout.plainLimit) {
                for index in layer.sorted() { list.append(parts.rule(rules[index]), owner: rules[index].owner) }
                continue
            }
            let tree = DispatchTree(rules, layer, parts, isLast: stack.isLast, kind: number == 0 ? "n" : "n\(number + 1)")
            tree.add(to: &self, entering: &list, from: nil, returns: number < stack.layers.count - 1)
        }
        set(list, at: place)
    }

    private mutating func layOutPlainly(_ rules: [PlacedRule], _ entry: ChainName) {
        let place = open(entry)
        for rule in rules { append(parts.rule(rule), owner: rule.owner, to: place) }
    }

    /// Adds a chain of one service's ports.
    mutating func addPorts(_ rules: [PlacedRule], _ name: ChainName) {
        let place = open(name)
        var list = OwnedRules()
        if rules.count > min(layout.plainLimit, PortTree.leafRules) {
            PortTree.add(rules.indices.map { $0 }, of: rules, parts, kind: name.text, prefix: nil, to: &self, &list)
        } else {
            for rule in rules { list.append(parts.rule(rule), owner: rule.owner) }
        }
        set(list, at: place)
    }
}

/// The rules of one protocol with ports, or of everything else.
private struct ProtocolGroup {
    /// The protocol; nil: everything else.
    let transport: TransportProtocol?
    /// Places in the plain order.
    var rules: [Int] = []
    /// Whether packets that match may match rules of another group as well.
    var isForOthersToo = false

    /// What tells the names of its chains from the other groups'.
    var letter: String {
        switch transport {
        case .tcp: ""
        case .udp: "u"
        case .sctp: "s"
        case nil: "x"
        }
    }

    /// The groups that have rules, in the order in which packets meet them: those that return first.
    static func all(_ rules: [PlacedRule], _ parts: RuleParts) -> [ProtocolGroup] {
        let ofTraffic: [TransportProtocol?] = parts.traffics.map { match in
            match.transport.flatMap { TransportProtocol(number: $0.number) }
        }
        var groups = [.tcp, .udp, .sctp, nil].map { ProtocolGroup(transport: $0) }
        for (index, rule) in rules.enumerated() {
            let group =
                switch ofTraffic[Int(rule.traffic)] {
                case .tcp: 0
                case .udp: 1
                case .sctp: 2
                case nil: 3
                }
            groups[group].rules.append(index)
            if group == 3, parts.traffics[Int(rule.traffic)].transport == nil { groups[3].isForOthersToo = true }
        }
        return (groups.filter(\.isForOthersToo) + groups.filter { !$0.isForOthersToo }).filter { !$0.rules.isEmpty }
    }
}
