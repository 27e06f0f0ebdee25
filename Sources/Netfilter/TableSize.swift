// SPDX-License-Identifier: GPL-2.0-or-later
/// The size of a table, by `IPT_SO_GET_INFO`, without reading it.
package struct TableSize: Sendable, Hashable {
    /// How many entries it has, heads and ends of chains included.
    package let entries: UInt32
    /// How many bytes they take.
    package let bytes: UInt32

    /// A size of these numbers.
    package init(entries: UInt32, bytes: UInt32) {
        (self.entries, self.bytes) = (entries, bytes)
    }
}
