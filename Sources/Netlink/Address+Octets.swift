// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension Address {
    /// The address in network byte order; nil if the bytes are too few. More bytes are left aside.
    init?(_ octets: ArraySlice<UInt8>, _ family: Family) {
        let width = family.bitWidth / 8
        guard octets.count >= width else { return nil }
        self.init(family: family, bits: octets.prefix(width).reduce(0) { $0 << 8 | UInt128($1) })
    }

    /// The address in network byte order: 4 or 16 bytes.
    var octets: [UInt8] {
        let width = family.bitWidth / 8
        return (0..<width).map { UInt8(truncatingIfNeeded: bits >> UInt128(8 * (width - 1 - $0))) }
    }
}
