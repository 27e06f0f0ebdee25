// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// What a packet can come from.
extension ValueText {
    // MARK: - MAC addresses

    /// Why that is no MAC address.
    static func explain(mac text: String, _ error: InvalidValue, isExcluded: Bool) -> Refusal {
        let groups = text.split { ":-.".contains($0) }.map(String.init)
        var digits = ""
        for group in groups where group.utf8.allSatisfy({ isHexadecimal($0) }) {
            let width = groups.count == 3 ? 4 : 2
            digits += String(repeating: "0", count: max(0, width - group.utf8.count)) + group
        }
        guard groups.count == 6 || groups.count == 3, digits.utf8.count == 12 else { return Refusal(error.description) }
        let bytes = stride(from: 0, to: 12, by: 2).map { digits.lowercased().dropFirst($0).prefix(2) }
        return Refusal("\(error.problem); write \"\(isExcluded ? "!" : "")\(bytes.joined(separator: ":"))\"")
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    /// Why no packet has that sender; nil where one can.
    static func explain(sender address: MACAddress) -> Refusal? {
        // The group bit of IEEE 802, which the broadcast address has as well.
        address.bits & 0x0100_0000_0000 == 0 ? nil : Refusal("\(address) is the address of a group, which no packet comes from")
    }

    // MARK: - Translations

    /// Why that is nothing that a source can be translated to.
    ///
    /// - Parameter words: what can be written beside an address.
    static func explain(translation text: String, _ words: [String], allowsRange: Bool) -> Refusal {
        let kinds = ["an address"] + (allowsRange ? ["a range of addresses"] : []) + words
        let problem = "\"\(text)\" is neither \(kinds.joined(separator: " nor "))"
        if let word = words.first(where: { $0 == text.lowercased() }) { return Refusal("\(problem); write \(word)") }
        if let prefix = try? Prefix(parsing: text), allowsRange || prefix.address == prefix.last {
            return Refusal("\(problem); write \(prefix.address)" + (prefix.address == prefix.last ? "" : "-\(prefix.last)"))
        }
        let ends = text.replacing(" ", with: "").split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard allowsRange, ends.count == 2, let first = try? Address(parsing: ends[0]) else { return Refusal(problem) }
        // The last number alone: 203.0.113.1-9.
        let head = ends[0].lastIndex(of: ".").map { ends[0][...$0] } ?? ""
        for end in [ends[1], head + ends[1]] {
            guard let last = try? Address(parsing: end), last.family == first.family, first <= last else { continue }
            return Refusal("\(problem); write \(first)-\(last)")
        }
        return Refusal(problem)
    }

    /// Checks that packets can have the addresses from the first to the last as their source.
    static func checkSource(_ first: Address, _ last: Address) throws(Refusal) {
        let isIPv4 = first.family == .ipv4
        func refuse(_ lower: UInt128, _ upper: UInt128, _ what: String) throws(Refusal) {
            guard first.bits <= upper, lower <= last.bits else { return }
            let address = Address(family: first.family, bits: max(first.bits, lower))
            throw Refusal("\(address) is \(what), which no packet comes from; write an address that answers can come back to")
        }
        try refuse(0, 0, "the unspecified address")
        let multicast: ClosedRange<UInt128> = isIPv4 ? 0xe000_0000...0xefff_ffff : 0xff << 120...UInt128.max
        try refuse(multicast.lowerBound, multicast.upperBound, "a multicast address")
        if isIPv4 { try refuse(0xffff_ffff, 0xffff_ffff, "the broadcast address") }
    }
}
