// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension Prefix {
    /// The fewest prefixes that together are the addresses from the first to the last: 203.0.113.30 to .35 are .30/31 and .32/30.
    static func covering(_ first: Address, _ last: Address) -> [Prefix] {
        var prefixes: [Prefix] = []
        let width = first.family.bitWidth
        var next = first.bits
        while next <= last.bits {
            // The largest prefix that begins here and does not pass the end.
            var length = width - min(next.trailingZeroBitCount, width)
            while length < width, Prefix(containing: Address(family: first.family, bits: next), length: length).last > last {
                length += 1
            }
            let prefix = Prefix(containing: Address(family: first.family, bits: next), length: length)
            prefixes.append(prefix)
            guard prefix.last < last else { break }
            next = prefix.last.bits + 1
        }
        return prefixes
    }
}
