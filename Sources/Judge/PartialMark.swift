// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A mark of which some bits may be unknown.
package struct PartialMark: Sendable, Hashable {
    /// The bits that are known; zeros in place of the others.
    package var value: UInt32
    /// Which bits are not known.
    package var unknown: UInt32

    /// A mark that is known but for these bits.
    package init(_ value: UInt32, unknown: UInt32 = 0) {
        self.value = value & ~unknown
        self.unknown = unknown
    }

    /// A mark of which nothing is known.
    package static let unknown = PartialMark(0, unknown: .max)

    /// Whether it matches; nil: that depends on unknown bits.
    package func matches(_ match: MarkMatch) -> Bool? {
        if (value ^ match.value) & match.mask & ~unknown != 0 || match.value & ~match.mask != 0 { return match.isInverted }
        return unknown & match.mask == 0 ? !match.isInverted : nil
    }

    /// The bits of `mask` replaced: cleared, then XORed with the bits of `other` under `otherMask`.
    func replaced(_ mask: UInt32, by other: PartialMark, _ otherMask: UInt32) -> PartialMark {
        PartialMark(value & ~mask ^ other.value & otherMask, unknown: unknown & ~mask | other.unknown & otherMask)
    }
}
