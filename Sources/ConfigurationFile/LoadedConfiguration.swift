// SPDX-License-Identifier: GPL-2.0-or-later
/// A configuration that was read and found right, with what is known of its files.
package struct LoadedConfiguration: Sendable, Hashable {
    /// What the files say.
    package var configuration: Configuration
    /// The files in the order in which they were read, with their bytes.
    package var files: [ConfigurationText]
    /// SHA-256 of what the rules depend on, in lower-case hexadecimal: equal on two directors exactly when both ask for the same
    /// rules by the same entries.
    package var sha256: String
    /// What the reader should know, though nothing is wrong: files in `conf.d` that were not read.
    package var warnings: [String]
    private var entries: [EntryPlace]

    /// A configuration and where it came from.
    package init(
        configuration: Configuration = Configuration(), files: [ConfigurationText] = [], sha256: String = "",
        warnings: [String] = []
    ) {
        self.configuration = configuration
        self.files = files
        self.sha256 = sha256
        self.warnings = warnings
        entries = []
    }

    init(_ draft: ConfigurationDraft, files: [ConfigurationText], warnings: [String]) {
        self.init(
            configuration: draft.configuration, files: files, sha256: draft.configuration.sha256, warnings: warnings)
        entries = draft.ftp + draft.services + draft.masquerades
    }

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
