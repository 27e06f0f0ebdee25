// SPDX-License-Identifier: GPL-2.0-or-later
/// The list of a section in one file.
struct EntryList: Sendable, Hashable {
    /// Whose entries.
    let section: ConfigurationDraft.Section
    /// The column of its dashes, counted from 1; nil: it has none.
    let column: Int?
    /// How many entries it has.
    var count = 0
}
