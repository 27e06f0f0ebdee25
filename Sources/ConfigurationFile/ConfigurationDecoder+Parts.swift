// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls

extension ConfigurationDecoder {
    /// Reads a file as two parts at once, the second one in a thread of its own.
    ///
    /// - Returns: what both say; nil where the file cannot be read in parts, or has errors: these are found by reading it whole.
    static func decodeInTwo(
        _ bytes: UnsafeBufferPointer<UInt8>, at cut: EntryCut, isASCII: Bool, _ begun: ConfigurationDraft
    ) -> ConfigurationDraft? {
        let tail = cut.section.text(of: bytes[cut.byte...])
        // Of what earlier files say, the rest of this one asks for the settings alone: each can be in one file.
        var rest = ConfigurationDraft()
        rest.lists = [[]]
        (rest.files, rest.settings, rest.configuration.daemon) = (begun.files, begun.settings, begun.configuration.daemon)
        let begunRest = rest
        let (first, second) = sideBySide {
            FilePart(UnsafeBufferPointer(rebasing: bytes[..<cut.byte]), isASCII: isASCII, firstLine: 0, begun)
        } _: {
            // The key of the section is in a line of its own.
            tail.withUnsafeBufferPointer { FilePart($0, isASCII: isASCII, firstLine: cut.line - 1, begunRest) }
        }
        guard let first, let second, first.ends(in: cut.section, cut.column), !first.hasAny(of: second, but: cut.section)
        else { return nil }
        var draft = first.draft
        draft.append(second.draft, continuing: cut.section, after: first.count)
        return draft
    }
}
