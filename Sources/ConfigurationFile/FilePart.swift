// SPDX-License-Identifier: GPL-2.0-or-later
/// What a part of a file says that was read by itself, and how it ends.
struct FilePart: Sendable {
    let draft: ConfigurationDraft
    private let sections: Words<SectionWord>
    private let lastList: EntryList?
    private let isOpen: Bool

    /// Reads the part; nil where it has errors.
    ///
    /// - Parameter firstLine: the number of its first line in the file, counted from 0.
    init?(_ bytes: UnsafeBufferPointer<UInt8>, isASCII: Bool, firstLine: Int, _ begun: ConfigurationDraft) {
        var decoder = ConfigurationDecoder(begun, YAMLEvents(bytes, isASCII: isASCII, firstLine: firstLine))
        decoder.document()
        guard decoder.draft.errors.count == 0, let sections = decoder.sectionsFound else { return nil }
        (draft, self.sections, lastList, isOpen) = (decoder.draft, sections, decoder.lastList, decoder.isOpen)
    }

    /// How many entries its last list has.
    var count: Int { lastList?.count ?? 0 }

    /// Whether a text that goes on after it with a dash in this column goes on with the section's list.
    func ends(in section: ConfigurationDraft.Section, _ column: Int) -> Bool {
        isOpen && lastList?.section == section && lastList?.column == column
    }

    /// Whether it has nothing but entries of the section.
    func hasOnly(_ section: ConfigurationDraft.Section) -> Bool {
        SectionWord.allCases.allSatisfy { sections.has($0) == ("\($0.text)" == section.rawValue) }
    }

    /// Whether a section is in both, which is an error but for this one.
    func hasAny(of rest: FilePart, but section: ConfigurationDraft.Section) -> Bool {
        SectionWord.allCases.contains { sections.has($0) && rest.sections.has($0) && "\($0.text)" != section.rawValue }
    }
}
