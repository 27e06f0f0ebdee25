// SPDX-License-Identifier: GPL-2.0-or-later
/// How much a rule or a policy has seen.
package struct Counters: Sendable, Hashable {
    /// Packets that matched.
    package var packets: UInt64
    /// Their bytes, IP headers included.
    package var bytes: UInt64

    /// Counters of these values.
    package init(packets: UInt64 = 0, bytes: UInt64 = 0) {
        (self.packets, self.bytes) = (packets, bytes)
    }
}
