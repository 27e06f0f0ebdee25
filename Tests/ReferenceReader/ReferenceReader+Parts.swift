// SPDX-License-Identifier: GPL-2.0-or-later
@testable import ConfigurationFile

extension ReferenceReader {
    /// How what is read in two parts differs from what is read whole, wherever the text can be cut; nil if it does not.
    static func differenceInParts(_ text: ConfigurationText, _ whole: ConfigurationDraft) -> String? {
        var tried: Set<Int> = []
        return text.bytes.withUnsafeBufferPointer { bytes in
            for eighth in 1..<8 where !bytes.isEmpty {
                guard let cut = EntryCut(bytes, after: bytes.count * eighth / 8), tried.insert(cut.byte).inserted else { continue }
                var begun = ConfigurationDraft()
                begun.begin(text)
                begun.errors.file = text.path
                var characters = ErrorList()
                let isASCII = text.check(&characters)
                guard characters.count == 0,
                    let parts = ConfigurationDecoder.decodeInTwo(text, at: cut, isASCII: isASCII, begun)
                else { continue }
                if Facts(parts) != Facts(whole) { return "cut at \(cut.byte): \(Facts(parts)), whole: \(Facts(whole))" }
            }
            return nil
        }
    }

    /// How a reading that knows what was in the file before differs from one that does not; nil if it does not, or if what was there
    /// before is refused.
    package static func differenceKnowing(_ before: [UInt8], _ after: [UInt8]) -> String? {
        func load(_ bytes: [UInt8], _ known: LoadedConfiguration? = nil) -> Result<LoadedConfiguration, ConfigurationErrors> {
            Result { () throws(ConfigurationErrors) in
                try Configuration.load([ConfigurationText(path: "f", bytes: bytes)], knowing: known)
            }
        }
        guard case .success(let known) = load(before) else { return nil }
        let (new, again) = (load(after), load(after, known))
        return new == again ? nil : "read as \(new), knowing what was there before as \(again)"
    }

    /// Everything that a draft says.
    private struct Facts: Equatable {
        let configuration: Configuration
        let lists: [[EntryList]]
        let places: [EntryPlace]
        let names: [String]
        let settings: [SettingWord: SourcePosition]
        let errors: Int

        init(_ draft: ConfigurationDraft) {
            configuration = draft.configuration
            lists = draft.lists
            places = draft.ftp + draft.services + draft.masquerades + draft.names.map(\.entry) + draft.references.map(\.entry)
            names =
                draft.names.map { "\($0.text) \($0.section) \($0.translates)" }
                + draft.references.map { "\($0.service) \($0.number)" }
            settings = draft.settings
            errors = draft.errors.count
        }
    }
}
