// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A MARK rule that a service can take the place of.
struct MarkCandidate {
    let rule: FoundRule
    let hook: Hook
    let mark: Mark
    var region: Region

    var service: Service { Service(name: "", mark: mark, region: region, hooks: [hook]) }
}

/// Sorts the rules that one hook meets in mangle into those that services can take the place of, and those that stay.
///
/// Example: of `-d A -p udp --dport 51820 -j RETURN` and `-d A -p udp --dport 50000:60000 -j MARK …` the first stays, and the second
/// becomes ports 50000-51819 and 51821-60000.
struct MarkSorting {
    private(set) var candidates: [Int: MarkCandidate] = [:]
    private(set) var reasons: [Int: String] = [:]
    /// Of a candidate that a later one overrides whole: nothing of it has to be kept.
    private(set) var overridden: Set<Int> = []

    private let items: [HookWalk.Item]
    private let hook: Hook
    private let position: DaemonSettings.HookPosition

    init(_ items: [HookWalk.Item], _ hook: Hook, _ position: DaemonSettings.HookPosition) {
        self.items = items
        self.hook = hook
        self.position = position
        classify()
        leaveOutRepeated()
        leaveOutOverridden()
        repeat { leaveOutBlocked() } while leaveOutHalves()
    }

    private func effect(_ index: Int) -> RuleEffect {
        .of(items[index].rule.rule, isInHook: items[index].rule.chain == hook.chain)
    }

    private mutating func classify() {
        var ended: [(index: Int, region: Region)] = []
        for (index, item) in items.enumerated() {
            switch MarkSorting.candidate(item, hook) {
            case .success(var candidate):
                let rest = candidate.region.subtracting(all: item.returned + (position == .first ? ended.map(\.region) : []))
                switch rest {
                case .region(let region):
                    candidate.region = region
                    candidates[index] = candidate
                case .nothing: overridden.insert(index)
                case .inexpressible:
                    reasons[index] = "an earlier rule takes out some of its packets in a way that services have no words for"
                }
            case .failure(let reason): reasons[index] = reason.text
            }
            if candidates[index] == nil, effect(index).contains(.ends) { ended.append((index, item.region)) }
        }
    }

    private static func candidate(_ item: HookWalk.Item, _ hook: Hook) -> Result<MarkCandidate, Reason> {
        guard case .mark(let operation) = item.rule.rule.target else { return .failure(Reason.ofTarget(item.rule.rule.target)) }
        if let unclear = item.region.unclear { return .failure(Reason("a service has no words for \(unclear)")) }
        guard let mark = operation.settingMark else { return .failure(Reason("it does more to the mark than setting bits")) }
        if hook == .forward || hook == .postrouting {
            return .failure(Reason("services mark in PREROUTING, INPUT and OUTPUT alone"))
        }
        if !item.region.outInterfaces.isEmpty { return .failure(Reason("a service has no outgoing interface (-o)")) }
        if item.region.sourcePorts != [.all] { return .failure(Reason("a service has no source ports (--sport)")) }
        if item.region.mark != nil { return .failure(Reason("a service does not ask for a mark (-m mark)")) }
        if hook == .output, !item.region.inInterfaces.isEmpty || !item.region.macs.isEmpty {
            return .failure(Reason("in OUTPUT a packet has no incoming interface and no MAC address"))
        }
        return .success(MarkCandidate(rule: item.rule, hook: hook, mark: mark, region: item.region))
    }

    /// Of rules for the same packets the last decides.
    private mutating func leaveOutRepeated() {
        var masks: [Region: UInt32] = [:]
        for index in candidates.keys.sorted(by: >) {
            guard let candidate = candidates[index] else { continue }
            let later = masks[candidate.region] ?? 0
            if candidate.mark.mask & ~later == 0 {
                candidates[index] = nil
                overridden.insert(index)
            }
            masks[candidate.region] = later | candidate.mark.mask
        }
    }

    /// Takes later marks off earlier ones; where that has no words the earlier one stays.
    private mutating func leaveOutOverridden() {
        for _ in 0..<64 {
            let order = candidates.keys.sorted()
            let conflicts = MarkConflicts.find(in: order.compactMap { candidates[$0]?.service })
            if conflicts.isEmpty { return }
            for conflict in conflicts {
                let (earlier, later) = (order[conflict.earlier], order[conflict.later])
                guard var candidate = candidates[earlier], let other = candidates[later] else { continue }
                switch candidate.region.subtracting(other.region) {
                case .region(let region) where region != candidate.region:
                    candidate.region = region
                    candidates[earlier] = candidate
                case .nothing:
                    candidates[earlier] = nil
                    overridden.insert(earlier)
                case .region, .inexpressible:
                    candidates[earlier] = nil
                    reasons[earlier] =
                        "a later rule gives some of its packets another mark, in a way that services have no words for"
                }
            }
        }
        for index in candidates.keys { reasons[index] = "too many rules change the marks of one another" }
        candidates = [:]
    }

    /// A rule that packets meet by several ways stays if it stays on one of them.
    private mutating func leaveOutHalves() -> Bool {
        let staying = Set(reasons.keys.map { items[$0].rule })
        let halves = candidates.keys.filter { staying.contains(items[$0].rule) }
        for index in halves {
            candidates[index] = nil
            reasons[index] = "packets meet it by several ways, and on one of them it has to stay"
        }
        return !halves.isEmpty
    }

    /// Leaves out what a rule that stays, and would be met in another order, might change.
    private mutating func leaveOutBlocked() {
        // Each rule that stays, once; one that is left out stays, and may block others in its turn.
        var staying = items.indices.filter { candidates[$0] == nil && !overridden.contains($0) && !effect($0).isEmpty }
        while !staying.isEmpty {
            var next: [Int] = []
            for index in candidates.keys.sorted() {
                guard let candidate = candidates[index] else { continue }
                let blocker = staying.first { other in
                    (position == .first ? other < index : other > index) && blocks(other, candidate)
                }
                guard let blocker else { continue }
                candidates[index] = nil
                let side = position == .first ? "after" : "before"
                reasons[index] =
                    "\(side) a rule that stays and may decide about its packets: -A \(items[blocker].rule.chain) "
                    + items[blocker].rule.text
                next.append(index)
            }
            staying = next
        }
    }

    private func blocks(_ index: Int, _ candidate: MarkCandidate) -> Bool {
        var effect = effect(index)
        if case .mark(let operation) = items[index].rule.rule.target, let mark = operation.settingMark,
            !mark.conflicts(with: candidate.mark)
        {
            effect.remove(.marks)
        }
        // What has ended before is taken off already.
        if position == .first, items[index].region.isExact { effect.remove(.ends) }
        return !effect.isEmpty && items[index].region.meets(candidate.region)
    }
}

/// Why a rule cannot be a part of a configuration.
struct Reason: Error, Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    /// Of a rule that neither marks nor translates.
    static func ofTarget(_ target: Target) -> Reason {
        switch target {
        case .connectionMark: Reason("services do not touch the connection's mark (CONNMARK)")
        case .other(let other): Reason("a configuration has no words for -j \(printable(other.name))")
        default: Reason("it sets no mark")
        }
    }
}

extension Region {
    /// What is left without the packets of all of these.
    func subtracting(all regions: [Region]) -> Rest {
        var rest = self
        for region in regions {
            switch rest.subtracting(region) {
            case .nothing: return .nothing
            case .inexpressible: return .inexpressible
            case .region(let left): rest = left
            }
        }
        return .region(rest)
    }
}

extension Service {
    /// The service of a region's packets.
    init(name: String, mark: Mark, region: Region, hooks: [Hook]) {
        self.init(
            name: name, mark: mark, addresses: region.addresses, traffic: Traffic(region.transport, region.destinationPorts),
            sources: region.sources, sourceMACs: region.macs, inInterfaces: region.inInterfaces, hooks: hooks)
    }
}

extension Traffic {
    /// The protocol with these ports; nil: every packet.
    init(_ transport: UInt8?, _ ports: [PortRange]) {
        self.init()
        guard let transport else {
            isEverything = true
            return
        }
        if let known = TransportProtocol(number: transport) { self[known] = ports } else { protocols = [transport] }
    }
}
