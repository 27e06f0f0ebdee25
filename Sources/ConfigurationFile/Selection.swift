// SPDX-License-Identifier: GPL-2.0-or-later
/// A list of a configuration that may have entries with "!".
///
/// A packet matches if it matches at least one entry without "!" (any packet does, if there are none) and no entry with it.
package struct Selection<Element: Hashable & Sendable>: Sendable, Hashable {
    /// The entries without "!", in the order of the file.
    package var included: [Element]
    /// The entries with "!", in the order of the file.
    package var excluded: [Element]

    /// A list of these entries; of none, everything matches.
    package init(_ included: [Element] = [], excluding excluded: [Element] = []) {
        (self.included, self.excluded) = (included, excluded)
    }

    /// Whether nothing was written: everything matches.
    package var isEmpty: Bool { included.isEmpty && excluded.isEmpty }
}
