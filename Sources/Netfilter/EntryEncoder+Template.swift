// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// Most rules of a large table are like the one before them but for an address and a mark. Their entries are made from the one
/// before: the numbers are written over, and all else stays.
extension EntryEncoder {
    /// Makes the rule's entry from that of the last rule, if it differs in numbers alone.
    ///
    /// - Returns: whether it did.
    mutating func encodeOverLast(_ rule: borrowing Rule) throws(NetfilterError) -> Bool {
        guard let last, rule.isEncoded(like: last) else { return false }
        if let source = rule.match.source { put(addressBits: source.prefix.address.bits, at: layout.source) }
        if let destination = rule.match.destination {
            put(addressBits: destination.prefix.address.bits, at: layout.destination)
        }
        // The last one may have been a rule with counters.
        put(UInt64(0), at: layout.counters)
        put(UInt64(0), at: layout.counters + 8)
        let target = Int(bytes.load(fromByteOffset: layout.targetOffset, as: UInt16.self))
        let data = target + EntryLayout.headerSize
        switch rule.target {
        case .mark(let mark): put(xt_mark_tginfo2(mark: mark.value, mask: mark.mask), at: data)
        case .jump(let chain), .goTo(let chain): try put(chain, at: data)
        default: break
        }
        return true
    }
}

extension Rule {
    /// Whether the entries of both differ at most in the bits of addresses, in the mark that is set, and in the chain that is led
    /// to.
    fileprivate borrowing func isEncoded(like other: borrowing Rule) -> Bool {
        guard AddressMatch.areEncodedAlike(match.source, other.match.source),
            AddressMatch.areEncodedAlike(match.destination, other.match.destination),
            match.transport == other.match.transport, match.isFurtherFragment == other.match.isFurtherFragment,
            match.inInterface == other.match.inInterface, match.outInterface == other.match.outInterface,
            match.conditions == other.match.conditions, comment == other.comment
        else { return false }
        switch (target, other.target) {
        case (.mark, .mark), (.jump, .jump), (.goTo, .goTo): return true
        default: return target == other.target
        }
    }
}

extension AddressMatch {
    fileprivate static func areEncodedAlike(_ left: AddressMatch?, _ right: AddressMatch?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        return left.prefix.family == right.prefix.family && left.prefix.length == right.prefix.length
            && left.isInverted == right.isInverted
    }
}
