// SPDX-License-Identifier: GPL-2.0-or-later
/// SplitMix64: the same numbers in every run, so that a failure can be looked at again.
package struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    /// The numbers that belong to the seed.
    package init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

    /// The next 64 bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
