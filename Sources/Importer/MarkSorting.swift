// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A MARK rule that a service can take the place of.
struct MarkCandidate: Candidate {
    let rule: FoundRule
    let hook: Hook
    var mark: Mark
    var region: Region
    /// The rule after it that saves the mark as the connection's (`CONNMARK --save-mark`).
    var savedBy: FoundRule?

    var service: Service {
        var service = Service(name: "", mark: mark, region: region, hooks: [hook])
        service.savesMark = savedBy != nil
        return service
    }
}

/// Sorts the rules that one hook meets in mangle into those that services can take the place of, and those that stay.
///
/// Example: of `-d A -p udp --dport 51820 -j RETURN` and `-d A -p udp --dport 50000:60000 -j MARK …` the first stays, and the second
/// becomes ports 50000-51819 and 51821-60000.
struct MarkSorting {
    var sorting: Sorting<MarkCandidate>
    private var hook: Hook

    /// - Parameters:
    ///   - earlier: the marks of hooks that packets of this one have met before.
    ///   - staying: rules that save marks and are to stay.
    init(
        _ items: [HookWalk.Item], _ hook: Hook, _ position: HookPosition, after earlier: [MarkCandidate],
        staying: Set<FoundRule>
    ) {
        sorting = Sorting(items, position)
        self.hook = hook
        classify()
        let saves = hook == .prerouting ? absorbSaves(staying) : [:]
        let observers = items.indices.filter { index in
            sorting.candidates[index] == nil && !sorting.overridden.contains(index)
                && !MarkSorting.effect(items[index], hook).isDisjoint(with: [.ends, .readsMark])
        }
        leaveOutRepeated(observers)
        leaveOutOverridden(observers)
        leaveOutContradicting(earlier)
        sorting.leaveOutBlocked(
            where: { !MarkSorting.effect(items[$0], hook).isEmpty },
            { MarkSorting.blocks(items[$0], $1, hook, position) })
        // A rule that saves the mark of one that stays has to stay as well, and may keep others from moving.
        let alone = saves.filter { sorting.candidates[$0.value] == nil }.map { items[$0.key].rule }
        if !alone.isEmpty { self = MarkSorting(items, hook, position, after: earlier, staying: staying.union(alone)) }
    }

    private static func effect(_ item: HookWalk.Item, _ hook: Hook) -> RuleEffect {
        .of(item.rule.rule, isInHook: item.rule.chain == hook.chain)
    }

    private mutating func classify() {
        var ended: [Region] = []
        for (index, item) in sorting.items.enumerated() {
            let earlier = item.returned + (sorting.position == .first ? ended : [])
            // In these hooks no packet has an interface that it leaves by.
            let isBeforeRouting = hook == .prerouting || hook == .input
            sorting.take(index, MarkSorting.candidate(item, hook), without: earlier, "services") {
                isBeforeRouting || $0.outInterfaces.isEmpty
            }
            if sorting.candidates[index] == nil, MarkSorting.effect(item, hook).contains(.ends) { ended.append(item.region) }
        }
    }

    /// Gives candidates the rules that save their marks.
    ///
    /// - Returns: the numbers of these rules, with those of the candidates.
    private mutating func absorbSaves(_ staying: Set<FoundRule>) -> [Int: Int] {
        var absorbed: [Int: Int] = [:]
        for (index, item) in sorting.items.enumerated() {
            guard case .connectionMark(.save(let connectionMask, let packetMask)) = item.rule.rule.target, item.region.isExact,
                connectionMask == packetMask, !staying.contains(item.rule)
            else { continue }
            // The nearest rule before it that does anything to these packets is the one that marks them.
            let before = sorting.items[..<index].lastIndex {
                !MarkSorting.effect($0, hook).isEmpty && $0.region.meets(item.region)
            }
            guard let before, let candidate = sorting.candidates[before], candidate.region == item.region,
                candidate.mark.mask == packetMask, candidate.savedBy == nil
            else { continue }
            sorting.candidates[before]?.savedBy = item.rule
            sorting.reasons[index] = nil
            sorting.overridden.insert(index)
            absorbed[index] = before
        }
        return absorbed
    }

    private static func candidate(_ item: HookWalk.Item, _ hook: Hook) -> Result<MarkCandidate, Reason> {
        guard case .mark(let operation) = item.rule.rule.target else { return .failure(Reason.ofTarget(item.rule.rule.target)) }
        if let unclear = item.region.unclear { return .failure(Reason("a service cannot express \(unclear)")) }
        guard let mark = operation.settingMark else { return .failure(Reason("it does more to the mark than setting bits")) }
        if hook == .forward || hook == .postrouting {
            return .failure(Reason("services mark in PREROUTING, INPUT and OUTPUT alone"))
        }
        if !item.region.outInterfaces.isEmpty { return .failure(Reason("a service has no outgoing interface (-o)")) }
        if item.region.sourcePorts != [.all] { return .failure(Reason("a service has no source ports (--sport)")) }
        if item.region.mark != nil { return .failure(Reason("a service does not ask for a mark (-m mark)")) }
        if item.region.connectionMark != nil {
            return .failure(Reason("a service does not ask for the connection's mark (-m connmark)"))
        }
        if hook == .output, !item.region.inInterfaces.isEmpty || !item.region.macs.isEmpty {
            return .failure(Reason("in OUTPUT a packet has no incoming interface and no MAC address"))
        }
        return .success(MarkCandidate(rule: item.rule, hook: hook, mark: mark, region: item.region))
    }

    /// In a file a packet has one mark, whatever the hook.
    private mutating func leaveOutContradicting(_ earlier: [MarkCandidate]) {
        guard !earlier.isEmpty else { return }
        let order = sorting.candidates.keys.sorted()
        let services = earlier.map(\.service) + order.compactMap { sorting.candidates[$0]?.service }
        for conflict in MarkConflicts.find(in: services) where conflict.later >= earlier.count {
            sorting.leave(
                order[conflict.later - earlier.count], because: "a rule in PREROUTING gives some of its packets another mark")
        }
    }

    private static func blocks(
        _ item: HookWalk.Item, _ candidate: MarkCandidate, _ hook: Hook, _ position: HookPosition
    ) -> Bool {
        var effect = effect(item, hook)
        if case .mark(let operation) = item.rule.rule.target, let mark = operation.settingMark,
            !mark.conflicts(with: candidate.mark)
        {
            effect.remove(.marks)
        }
        if candidate.savedBy == nil { effect.remove(.touchesConnection) }
        if position == .first {
            // What has ended before is taken off already, and what leaves the chain by -g is marked before.
            if item.region.isExact || item.rule.rule.target.chain != nil { effect.remove(.ends) }
        }
        return !effect.isEmpty && item.region.meets(candidate.region)
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
        case .other(let other): Reason("a configuration cannot express -j \(printable(other.name))")
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
