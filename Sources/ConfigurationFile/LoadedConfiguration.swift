// SPDX-License-Identifier: GPL-2.0-or-later
import Synchronization

/// A configuration that was read and found right, with what is known of its files.
package struct LoadedConfiguration: Sendable {
    /// What the files say.
    package let configuration: Configuration
    /// The files in the order in which they were read, with their bytes.
    package let files: [ConfigurationText]
    /// What the reader should know, though nothing is wrong: files in `conf.d` that were not read.
    package var warnings: [String]
    /// Where the entries are: those of ftp, then services, then masquerades.
    private(set) var entries: [EntryPlace]
    /// The lists of entries of each file, in their order.
    private(set) var lists: [[EntryList]]
    private let digests = Digests()

    /// A configuration and where it came from.
    package init(
        configuration: Configuration = Configuration(), files: [ConfigurationText] = [], warnings: [String] = []
    ) {
        self.configuration = configuration
        self.files = files
        self.warnings = warnings
        entries = []
        lists = []
    }

    init(_ draft: ConfigurationDraft, files: [ConfigurationText], warnings: [String]) {
        self.init(configuration: draft.configuration, files: files, warnings: warnings)
        entries = draft.ftp + draft.services + draft.masquerades
        lists = draft.lists
    }

    /// SHA-256 of what the rules depend on, in lower-case hexadecimal: equal on two directors exactly when both ask for the same
    /// rules by the same entries.
    package var sha256: String { digests.rules.value { configuration.sha256 } }

    /// SHA-256 over names' last components and contents of all files: another one whenever a byte of them is another.
    package var filesSHA256: String { digests.files.value { ConfigurationText.sha256(files) } }

    /// Whether both digests are made.
    package var hasDigests: Bool { digests.rules.isMade && digests.files.isMade }

    /// Where `configuration.ftp[index]` is.
    package func position(ofFTP index: Int) -> SourcePosition { position(index) }

    /// Where `configuration.services[index]` is.
    package func position(ofService index: Int) -> SourcePosition { position(configuration.ftp.count + index) }

    /// Where `configuration.masquerades[index]` is.
    package func position(ofMasquerade index: Int) -> SourcePosition {
        position(configuration.ftp.count + configuration.services.count + index)
    }

    /// Where the service or FTP service of that name is; nil if there is none.
    package func position(ofMarking name: String) -> SourcePosition? {
        if let index = configuration.ftp.firstIndex(where: { $0.name == name }) { return position(ofFTP: index) }
        return configuration.services.firstIndex { $0.name == name }.map { position(ofService: $0) }
    }

    /// Where the translation of that name is, be it one of FTP; nil if there is none.
    package func position(ofTranslation name: String) -> SourcePosition? {
        if let index = configuration.ftp.firstIndex(where: { $0.name == name && $0.masquerade != nil }) {
            return position(ofFTP: index)
        }
        return configuration.masquerades.firstIndex { $0.name == name }.map { position(ofMasquerade: $0) }
    }

    private func position(_ index: Int) -> SourcePosition {
        // A configuration that was made and not read has no positions.
        guard entries.indices.contains(index) else { return SourcePosition(file: files.first?.path ?? "", line: 1, column: 1) }
        let entry = entries[index]
        return SourcePosition(file: files[Int(entry.file)].path, line: Int(entry.place.line), column: Int(entry.place.column))
    }
}

extension LoadedConfiguration: Hashable {
    /// Whether the files are the same and say the same.
    package static func == (left: LoadedConfiguration, right: LoadedConfiguration) -> Bool {
        left.files == right.files && left.configuration == right.configuration && left.entries == right.entries
            && left.lists == right.lists && left.warnings == right.warnings
    }

    /// The hash of what the files say.
    package func hash(into hasher: inout Hasher) { hasher.combine(configuration) }
}

/// The digests of a configuration. Each takes as long as a tenth of the reading, so it is made when it is first asked for.
private final class Digests: Sendable {
    let rules = Digest()
    let files = Digest()

    final class Digest: Sendable {
        private let text = Mutex<String?>(nil)

        var isMade: Bool { text.withLock { $0 != nil } }

        func value(_ make: () -> String) -> String {
            text.withLock { text in
                let value = text ?? make()
                text = value
                return value
            }
        }
    }
}
