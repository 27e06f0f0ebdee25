// SPDX-License-Identifier: GPL-2.0-or-later
/// Two services, or two translations, of which the file may have only one: their indices.
package struct Contradiction: Equatable, Sendable {
    /// The later one, which the error names.
    package let later: Int
    /// The first of the earlier ones that it contradicts.
    package let earlier: Int

    /// The two.
    package init(later: Int, earlier: Int) {
        (self.later, self.earlier) = (later, earlier)
    }
}
