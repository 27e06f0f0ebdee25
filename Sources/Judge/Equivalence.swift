// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// Whether two versions of a table do the same to every packet of a hook.
///
/// Not by trying packets at random: the packets are divided where some rule may tell them apart (addresses, ports and the like between
/// neighbouring boundaries), and one of each class is judged. Classes in which no rule that comes or goes can match are not divided
/// further, since there both versions are the same.
///
/// Example: before, a chain has `-d 203.0.113.10 -p tcp --dport 80 -j MARK --set-mark 80` (which goes) and `-p udp -j DROP`; after, our
/// chain does the first one's work.
///
///     by destination   below .10, .10, above .10: only in .10 can the rule that goes match
///     by protocol      0 to 5, 6, 7 to 255: only in 6
///     by port          0 to 79, 80, 81 to 65535: only in 80
///     one class        TCP to 203.0.113.10 port 80: mark 80 before and after
///
/// The DROP rule matches no packet of that class, so it is not looked at any further.
package struct Equivalence {
    /// A class of packets to which the two versions do something else, or may.
    package struct Difference: Sendable {
        /// One of the packets.
        package let packet: JudgedPacket
        /// What becomes of it before and after.
        package let before, after: Judgement
        /// The rules that it meets which neither come nor go, and which do something or ask for marks. Numbers are those before.
        package let inTheWay: [Judgement.Step]
        /// The rules that go which it met.
        package let removed: [Judgement.Step]
    }

    /// What was found.
    package enum Result: Sendable {
        /// The versions do the same.
        case equal
        /// They do not, for these packets.
        case different([Difference])
        /// There are too many classes of packets to look at.
        case tooMany
    }

    private let hook: Hook
    private let table: Table
    private let family: Family
    private var budget: Int
    private var differences: [Difference] = []
    /// The whole table before.
    private var whole = Remaining([], [:], from: .prerouting)

    /// Compares two versions of a table at a hook.
    ///
    /// - Parameters:
    ///   - removed: the numbers, counted from 0, of rules that `before` alone has. Rules in our chains may be in one version alone, all
    ///     others have to be in both.
    ///   - most: how many differences to look for.
    package static func compare(
        _ id: TableID, at hook: Hook, before: [Chain], after: [Chain], removed: [ChainName: Set<Int>], most: Int = 1
    ) -> Result {
        var comparison = Equivalence(hook: hook, table: id.table, family: id.family, budget: 60_000_000)
        var packet = JudgedPacket(id.family)
        (packet.isFurtherFragment, packet.state) = (nil, nil)
        (packet.isDestinationTranslated, packet.isSourceTranslated) = (nil, nil)
        (packet.mark, packet.connectionMark) = (.unknown, .unknown)
        if id.table == .nat { packet.state = .new }
        let isDone = comparison.run(
            Region(before: Remaining(before, removed, from: hook), after: Remaining(after, [:], from: hook), packet: packet), most)
        return !comparison.differences.isEmpty ? .different(comparison.differences) : isDone ? .equal : .tooMany
    }

    private init(hook: Hook, table: Table, family: Family, budget: Int) {
        (self.hook, self.table, self.family, self.budget) = (hook, table, family, budget)
    }

    /// Some packets, and the rules that may match them.
    fileprivate struct Region {
        var before, after: Remaining
        var packet: JudgedPacket
    }

    /// - Returns: whether all classes were looked at.
    private mutating func run(_ whole: Region, _ most: Int) -> Bool {
        self.whole = whole.before
        var waiting = [whole]
        while let region = waiting.popLast() {
            guard region.before.hasFocus || region.after.hasFocus else { continue }
            budget -= region.before.count + region.after.count
            guard budget > 0 else { return false }
            guard let field = nextField(region) else {
                judge(region)
                if differences.count >= most { return false }
                continue
            }
            if field.isNumber {
                divide(region, field, &waiting)
            } else {
                let matches = region.before.matches + region.after.matches
                for packet in field.packets(region.packet, matches) {
                    waiting.append(region.kept(packet) { $0.left(for: packet, at: hook) })
                }
                budget -= waiting.count
            }
        }
        return true
    }

    /// What to divide by next: what most of the rules that come or go ask for, then what the others do.
    private func nextField(_ region: Region) -> PacketField? {
        for onlyFocus in [true, false] {
            var counts: [PacketField: Int] = [:]
            for remaining in [region.before, region.after] {
                remaining.forEachRule { rule in
                    if onlyFocus && !rule.isFocus { return }
                    rule.left.forEachField { if !region.packet.knows($0) { counts[$0, default: 0] += 1 } }
                }
            }
            // Ports have a meaning once protocol and fragment are known.
            if counts[.protocolNumber] != nil || counts[.fragment] != nil {
                for field: PacketField in [.destinationPort, .sourcePort, .tcpFlags, .icmp] { counts[field] = nil }
            }
            if counts[.protocolNumber] != nil { counts[.fragment] = nil }
            let best = counts.max { ($0.value, $1.key.order) < ($1.value, $0.key.order) }
            if let best { return best.key }
        }
        return nil
    }

    /// Divides a region by a number, in halves, until no rule distinguishes the numbers of a part.
    private mutating func divide(_ region: Region, _ field: PacketField, _ waiting: inout [Region]) {
        let maximum = field.maximum(family)
        var parts: [(region: Region, lower: UInt128, upper: UInt128)] = [(region, 0, maximum)]
        while let part = parts.popLast() {
            guard part.region.before.hasFocus || part.region.after.hasFocus, budget > 0 else { continue }
            budget -= part.region.before.count + part.region.after.count
            // The starts of ranges that are within the part.
            var starts: [UInt128] = []
            for remaining in [part.region.before, part.region.after] {
                remaining.forEachRule { rule in
                    for range in rule.left.numbers(field).lazy.flatMap(\.ranges) {
                        if range.lowerBound > part.lower, range.lowerBound <= part.upper { starts.append(range.lowerBound) }
                        if range.upperBound >= part.lower, range.upperBound < part.upper { starts.append(range.upperBound + 1) }
                    }
                }
            }
            guard !starts.isEmpty else {
                var packet = part.region.packet
                packet.set(field, part.lower)
                waiting.append(part.region.kept(packet) { $0.left(for: packet, at: hook) })
                continue
            }
            starts.sort()
            let middle = starts[starts.count / 2]
            for (lower, upper) in [(part.lower, middle - 1), (middle, part.upper)] {
                let half = part.region.kept(part.region.packet) { $0.left(field, from: lower, to: upper) }
                parts.append((half, lower, upper))
            }
        }
    }

    // MARK: - One class

    private mutating func judge(_ region: Region) {
        var marks: Set<UInt32> = [0, .max]
        var connectionMarks: Set<UInt32> = [0, .max]
        for match in region.before.matches + region.after.matches {
            for case .mark(let mark) in match.conditions { marks.formUnion([mark.value, mark.value ^ mark.mask]) }
            for case .connectionMark(let mark) in match.conditions {
                connectionMarks.formUnion([mark.value, mark.value ^ mark.mask])
            }
        }
        budget -= marks.count * connectionMarks.count * (region.before.count + region.after.count)
        let id = TableID(family, table)
        let (before, after) = (Judge([id: region.before.compiled]), Judge([id: region.after.compiled]))
        for mark in marks {
            for connectionMark in connectionMarks {
                var packet = region.packet
                packet.mark = PartialMark(mark)
                packet.connectionMark = PartialMark(connectionMark)
                let results = (before.judge(packet, at: hook, only: table), after.judge(packet, at: hook, only: table))
                guard !results.0.isSame(as: results.1) else { continue }
                differences.append(difference(packet, results.0, results.1, region))
                return
            }
        }
    }

    private func difference(_ packet: JudgedPacket, _ before: Judgement, _ after: Judgement, _ region: Region) -> Difference {
        var inTheWay: [Judgement.Step] = []
        var removed: [Judgement.Step] = []
        for step in before.steps + [before.mark.doubt, before.verdict.doubt, before.translation.doubt].compactMap({ $0 }) {
            guard let (place, rule) = region.before.place(step), !step.chain.isOurs else { continue }
            if rule.isFocus {
                if !removed.contains(place) { removed.append(place) }
            } else if rule.rule.isInTheWay, !inTheWay.contains(place) {
                inTheWay.append(place)
            }
        }
        // A rule may decide after alone.
        for step in after.steps {
            guard let (_, found) = region.after.place(step), !step.chain.isOurs, !found.isFocus, found.rule.isInTheWay,
                let rule = whole.common(step.chain, found.ordinal)
            else { continue }
            let place = Judgement.Step(step.table, step.chain, rule.number, rule.rule)
            if !inTheWay.contains(place) { inTheWay.append(place) }
        }
        return Difference(packet: packet, before: before, after: after, inTheWay: inTheWay, removed: removed)
    }
}

extension PacketField {
    /// Of two fields that as many rules ask for, the one that is divided by first.
    fileprivate var order: Int {
        switch self {
        case .destination: 0
        case .source: 1
        case .protocolNumber: 2
        case .destinationPort: 3
        case .sourcePort: 4
        case .fragment: 5
        default: 6
        }
    }
}

extension Equivalence.Region {
    /// What is left of it for the packet, with the rules that may match.
    fileprivate func kept(_ packet: JudgedPacket, _ left: (RuleMatch) -> RuleMatch?) -> Self {
        Self(before: before.kept(left), after: after.kept(left), packet: packet)
    }
}

extension Judgement {
    /// Whether both say that the same becomes of a packet.
    fileprivate func isSame(as other: Judgement) -> Bool {
        guard verdict.isSame(as: other.verdict) else { return false }
        if verdict == .known(.drop) { return true }
        return mark.isSame(as: other.mark) && connectionMark.isSame(as: other.connectionMark)
            && translation.isSame(as: other.translation) && helper.isSame(as: other.helper)
    }
}

extension Known {
    fileprivate func isSame(as other: Known) -> Bool {
        switch (self, other) {
        case (.known(let left), .known(let right)): left == right
        // The same rule hands the packet, as it is, to the same program.
        case (.unknown(let left), .unknown(let right)): left.rule == right.rule && left.rule.isQueue && Value.self == Verdict.self
        default: false
        }
    }
}

extension Rule {
    fileprivate var isQueue: Bool {
        switch target {
        case .queue: true
        case .other(let other): other.name == "NFQUEUE"
        default: false
        }
    }

    /// Whether it does something that the place of a mark or a translation matters to.
    fileprivate var isInTheWay: Bool {
        switch target {
        case .jump, .goTo, .none: match.conditions.contains { if case .mark = $0 { true } else { false } }
        default: true
        }
    }
}
