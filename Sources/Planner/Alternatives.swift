// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// What a service or translation asks of its packets besides protocol, ports and the addresses that it is placed by.
///
/// Of each list a packet matches one entry at most, so that it is counted once.
struct Alternatives {
    /// What every rule asks.
    private(set) var common = RuleMatch()
    /// Lists of matches, of each of which a packet has to match one; each has two or more.
    private(set) var lists: [[RuleMatch]] = []
    /// What no packet may match.
    private(set) var exceptions: [RuleMatch] = []

    /// In how many ways a packet can match.
    var count: Int {
        lists.reduce(1) { count, list in
            let (product, isTooLarge) = count.multipliedReportingOverflow(by: list.count)
            return isTooLarge ? .max : product
        }
    }

    /// The matches of each way.
    var all: [RuleMatch] {
        lists.reduce([common]) { matches, list in matches.flatMap { match in list.map { match.merged(with: $0) } } }
    }

    /// Packets with addresses of the choice on that side.
    mutating func add(_ choice: AddressChoice, _ side: AddressSide) {
        if choice.excluded.count == 1, choice.included.count == 1, choice.included[0].length == 0 {
            common[side] = AddressMatch(choice.excluded[0], isInverted: true)
            return
        }
        add(choice.included.map { RuleMatch(side, .of($0)) })
        except(choice, side)
    }

    /// No packets with addresses that the choice excludes; one rule can say so where it is about all others.
    mutating func except(_ choice: AddressChoice, _ side: AddressSide) {
        if choice.excluded.count == 1, choice.included.count == 1, choice.included[0].length == 0 {
            common[side] = AddressMatch(choice.excluded[0], isInverted: true)
        } else {
            exceptions += choice.excluded.map { RuleMatch(side, AddressMatch($0)) }
        }
    }

    /// Packets that come in, or go out, by an interface of the choice.
    mutating func add(_ choice: InterfaceChoice, _ part: WritableKeyPath<RuleMatch, InterfaceMatch?>) {
        func match(_ pattern: InterfacePattern, isInverted: Bool = false) -> RuleMatch {
            var match = RuleMatch()
            match[keyPath: part] = InterfaceMatch(pattern, isInverted: isInverted)
            return match
        }
        if let included = choice.included {
            add(included.map { match($0) })
        } else if choice.excluded.count == 1 {
            common[keyPath: part] = InterfaceMatch(choice.excluded[0], isInverted: true)
            return
        }
        exceptions += choice.excluded.map { match($0) }
    }

    /// Packets of the senders, by hardware address. One without such an address (from a tunnel, or by lo) is in no list.
    ///
    /// - Returns: false where no packet is left.
    mutating func add(_ senders: Selection<MACAddress>) -> Bool {
        guard !senders.included.isEmpty else {
            common.conditions += Set(senders.excluded).sorted().map { .mac($0, isInverted: true) }
            return true
        }
        var known = Set(senders.excluded)
        let left = senders.included.filter { known.insert($0).inserted }
        add(left.map { RuleMatch(conditions: [.mac($0, isInverted: false)]) })
        return !left.isEmpty
    }

    /// Packets that match one of the list.
    mutating func add(_ list: [RuleMatch]) {
        if list.count == 1 { common = common.merged(with: list[0]) } else if !list.isEmpty { lists.append(list) }
    }
}

extension RuleMatch {
    /// A match of an address on one side.
    init(_ side: AddressSide, _ match: AddressMatch?) {
        self.init()
        self[side] = match
    }

    /// The address match of one side.
    subscript(side: AddressSide) -> AddressMatch? {
        get { side == .source ? source : destination }
        set { if side == .source { source = newValue } else { destination = newValue } }
    }

    /// What both ask; where both ask for the same part, they must not differ.
    func merged(with other: RuleMatch) -> RuleMatch {
        RuleMatch(
            source: source ?? other.source, destination: destination ?? other.destination,
            inInterface: inInterface ?? other.inInterface, outInterface: outInterface ?? other.outInterface,
            transport: transport ?? other.transport, isFurtherFragment: isFurtherFragment ?? other.isFurtherFragment,
            conditions: conditions.isEmpty ? other.conditions : conditions + other.conditions)
    }
}
