// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Rules

/// A comparison of a part of a packet with a range of values, in words of `Rules`.
struct NftComparison {
    /// What is compared.
    let field: NftField
    /// The mask before the comparison; nil: none.
    let mask: [UInt8]?
    /// The first and the last value, as many bytes each.
    let first: [UInt8]
    let last: [UInt8]
    /// Whether all other values match.
    let isInverted: Bool

    /// What the comparison comes to.
    enum Outcome {
        /// It is in the match now.
        case taken
        /// Packets of the family never match.
        case never
        /// It cannot be expressed.
        case unknown
    }

    /// Puts the comparison into the match of packets of the family.
    func add(to match: inout RuleMatch, _ family: Family) -> Outcome {
        switch field {
        case .address(let side, _): return addAddress(side, &match, family)
        case .transport:
            guard mask == nil, first == last, let number = first.first, match.transport == nil else { return .unknown }
            match.transport = ProtocolMatch(number, isInverted: isInverted)
        case .family:
            guard mask == nil, first == last, let number = first.first else { return .unknown }
            let own = UInt8(family == .ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6)
            return (number == own) != isInverted ? .taken : .never
        case .etherType:
            guard mask == nil, first == last, first.count == 2 else { return .unknown }
            let own: [UInt8] = family == .ipv4 ? [0x08, 0x00] : [0x86, 0xdd]
            return (first == own) != isInverted ? .taken : .never
        case .interface(let isIn): return addInterface(isIn, &match)
        case .mark:
            guard let marks = markMatch else { return .unknown }
            match.conditions.append(.mark(marks))
        case .connectionMark:
            guard let marks = markMatch else { return .unknown }
            match.conditions.append(.connectionMark(marks))
        case .connectionState: return addState(&match)
        case .connectionStatus: return addStatus(&match)
        case .port(let side):
            guard mask == nil, let lower = port(first), let upper = port(last), lower <= upper else { return .unknown }
            match.conditions.append(.ports(PortMatch(side, [PortRange(lower, upper)], isInverted: isInverted)))
        case .addressType(let side):
            guard mask == nil, first == last, let type = number(first), type < 16 else { return .unknown }
            var kinds = AddressTypeMatch()
            switch side {
            case .source: (kinds.source, kinds.isSourceInverted) = (1 << UInt16(type), isInverted)
            case .destination: (kinds.destination, kinds.isDestinationInverted) = (1 << UInt16(type), isInverted)
            }
            match.conditions.append(.addressType(kinds))
        }
        return .taken
    }

    private func addAddress(_ side: AddressSide, _ match: inout RuleMatch, _ family: Family) -> Outcome {
        let width = family.bitWidth / 8
        guard first.count == last.count, first.count <= width else { return .unknown }
        func padded(_ bytes: [UInt8], _ filler: UInt8) -> Address? {
            Address((bytes + [UInt8](repeating: filler, count: width - bytes.count))[...], family)
        }
        guard let low = padded(first, 0), let high = padded(last, 0xff), low <= high else { return .unknown }
        var end = high
        if let mask {
            guard first == last, let bits = padded(mask, 0), let value = padded(first, 0) else { return .unknown }
            let prefix = Prefix(containing: value, length: bits.bits.nonzeroBitCount)
            guard prefix.mask == bits.bits else { return .unknown }
            end = prefix.last
        }
        let size = end.bits &- low.bits &+ 1
        let isPrefix = size != 0 && size & (size &- 1) == 0 && low.bits & (size &- 1) == 0
        let isFree = side == .source ? match.source == nil : match.destination == nil
        guard isPrefix, isFree else {
            match.conditions.append(.addressRange(side: side, first: low, last: end, isInverted: isInverted))
            return .taken
        }
        let address = AddressMatch(
            Prefix(containing: low, length: family.bitWidth - size.trailingZeroBitCount), isInverted: isInverted)
        if side == .source { match.source = address } else { match.destination = address }
        return .taken
    }

    private func addInterface(_ isIn: Bool, _ match: inout RuleMatch) -> Outcome {
        // A whole name has its NUL; without one it is the beginning of a name.
        let name = first.prefix { $0 != 0 }
        let text = String(decoding: name, as: UTF8.self) + (name.count == first.count ? "+" : "")
        guard mask == nil, first == last, let pattern = try? InterfacePattern(parsing: text),
            isIn ? match.inInterface == nil : match.outInterface == nil
        else { return .unknown }
        let interface = InterfaceMatch(pattern, isInverted: isInverted)
        if isIn { match.inInterface = interface } else { match.outInterface = interface }
        return .taken
    }

    private var markMatch: MarkMatch? {
        guard first == last, let value = number(first), let bits = mask.map(number) ?? UInt32.max else { return nil }
        return MarkMatch(value: value, mask: bits, isInverted: isInverted)
    }

    private func addState(_ match: inout RuleMatch) -> Outcome {
        guard first == last, let value = number(first) else { return .unknown }
        let states: UInt32
        let isInverted: Bool
        if let mask {
            // `ct state new,established` is "the bits under the mask are not zero".
            guard value == 0, let bits = number(mask) else { return .unknown }
            (states, isInverted) = (bits, !self.isInverted)
        } else {
            (states, isInverted) = (value, self.isInverted)
        }
        match.conditions.append(.connectionState(NftComparison.states(states), isInverted: isInverted))
        return .taken
    }

    /// `ct status dnat`: of the bits of `IPS_*` (`<linux/netfilter/nf_conntrack_common.h>`) those of translations are states to x_tables.
    private func addStatus(_ match: inout RuleMatch) -> Outcome {
        guard first == last, number(first) == 0, let mask, let bits = number(mask), bits != 0, bits & ~0x30 == 0 else {
            return .unknown
        }
        var states: ConnectionStates = []
        if bits & 0x10 != 0 { states.insert(.sourceTranslated) }
        if bits & 0x20 != 0 { states.insert(.destinationTranslated) }
        match.conditions.append(.connectionState(states, isInverted: !isInverted))
        return .taken
    }

    /// nf_tables' bits of states (`NF_CT_STATE_BIT`), of which only that for untracked is another than x_tables'.
    static func states(_ bits: UInt32) -> ConnectionStates {
        var states = ConnectionStates(rawValue: UInt16(bits & 0xf))
        if bits & 0x40 != 0 { states.insert(.untracked) }
        return states
    }

    private func port(_ bytes: [UInt8]) -> UInt16? {
        bytes.count >= 2 ? UInt16(bytes[0]) << 8 | UInt16(bytes[1]) : nil
    }

    /// A number in the machine's byte order.
    private func number(_ bytes: [UInt8]) -> UInt32? { NetlinkMessage.load(UInt32.self, bytes[...], at: 0) }
}
