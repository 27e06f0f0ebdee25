// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls

extension ConfigurationDecoder {
    /// Reads a file as two parts at once, the second one in a thread of its own.
    ///
    /// - Returns: what both say; nil where the file cannot be read in parts, or has errors: these are found by reading it whole.
    static func decodeInTwo(
        _ text: ConfigurationText, at cut: EntryCut, isASCII: Bool, _ begun: ConfigurationDraft
    ) -> ConfigurationDraft? {
        // Of what earlier files say, the rest of this one asks for the settings alone: each can be in one file.
        var rest = ConfigurationDraft()
        rest.lists = [[]]
        rest.errors.file = text.path
        (rest.files, rest.settings, rest.configuration.daemon) = (begun.files, begun.settings, begun.configuration.daemon)
        let begunRest = rest
        let (first, second) = sideBySide {
            text.bytes.withUnsafeBufferPointer { bytes in
                FilePart(UnsafeBufferPointer(rebasing: bytes[..<cut.byte]), isASCII: isASCII, firstLine: 0, begun)
            }
        } _: {
            let (tail, line) = text.bytes.withUnsafeBufferPointer { bytes in
                (cut.section.text(of: bytes[cut.byte...]), TextLines(bytes: bytes).count(0..<cut.byte))
            }
            // The key of the section is in a line of its own.
            return tail.withUnsafeBufferPointer { FilePart($0, isASCII: isASCII, firstLine: line - 1, begunRest) }
        }
        guard let first, let second, first.ends(in: cut.section, cut.column), !first.hasAny(of: second, but: cut.section)
        else { return nil }
        var draft = first.draft
        draft.append(second.draft, continuing: cut.section, after: first.count)
        return draft
    }
}
