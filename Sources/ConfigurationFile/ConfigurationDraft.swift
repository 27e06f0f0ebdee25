// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Where an entry of a section is.
struct EntryPlace: Sendable, Hashable {
    /// The number of its file.
    var file: Int32
    /// Its number among the entries of its section in that file.
    var index: Int32
    var place: Place

    /// The same with a number that is higher by so much.
    func moved(by count: Int) -> EntryPlace { EntryPlace(file: file, index: index + Int32(count), place: place) }
}

/// A configuration while its files are read, with what is needed to compare entries with one another.
struct ConfigurationDraft {
    /// A section that has entries.
    enum Section: String, CaseIterable { case ftp, services, masquerade }

    /// A name, also of an entry with errors.
    struct Name {
        let text: String
        let section: Section
        /// Whether the entry translates (too).
        let translates: Bool
        var entry: EntryPlace
    }

    /// The services that a translation names.
    struct Reference {
        let service: String
        var entry: EntryPlace
        /// The number in the translation's list.
        let number: Int
    }

    var configuration = Configuration()
    var errors = ErrorList()
    /// The paths of the files.
    var files: [String] = []
    /// The lists of entries of each file, in their order.
    var lists: [[EntryList]] = []
    /// Where the entries of the configuration are.
    var (ftp, services, masquerades): ([EntryPlace], [EntryPlace], [EntryPlace]) = ([], [], [])
    var names: [Name] = []
    var references: [Reference] = []
    /// Where each setting was first given.
    var settings: [SettingWord: SourcePosition] = [:]
    /// Whether there was any section that can ask for rules.
    var hasSection = false

    /// Begins with another file.
    mutating func begin(_ text: ConfigurationText) {
        files.append(text.path)
        lists.append([])
    }

    /// Where something is, in the file that is being read.
    func entry(_ place: Place, _ index: Int) -> EntryPlace {
        EntryPlace(file: Int32(files.count - 1), index: Int32(index), place: place)
    }

    func position(_ entry: EntryPlace) -> SourcePosition {
        SourcePosition(file: files[Int(entry.file)], line: Int(entry.place.line), column: Int(entry.place.column))
    }

    /// The place of one of `configuration.allServices`.
    func marking(_ index: Int) -> (entry: EntryPlace, path: String) {
        let entry = index < ftp.count ? ftp[index] : services[index - ftp.count]
        return (entry, "\(index < ftp.count ? "ftp" : "services")[\(entry.index)]")
    }

    /// Adds what the rest of the same file says, which begins with more entries of the section: `count` were there before.
    mutating func append(_ rest: ConfigurationDraft, continuing section: Section, after count: Int) {
        func moved(_ entries: [EntryPlace], _ own: Section) -> [EntryPlace] {
            own == section ? entries.map { $0.moved(by: count) } : entries
        }
        var restLists = rest.lists[0]
        lists[lists.count - 1][lists[lists.count - 1].count - 1].count += restLists.removeFirst().count
        lists[lists.count - 1] += restLists
        configuration.ftp += rest.configuration.ftp
        configuration.services += rest.configuration.services
        configuration.masquerades += rest.configuration.masquerades
        ftp += moved(rest.ftp, .ftp)
        services += moved(rest.services, .services)
        masquerades += moved(rest.masquerades, .masquerade)
        for var name in rest.names {
            if name.section == section { name.entry = name.entry.moved(by: count) }
            names.append(name)
        }
        for var reference in rest.references {
            if section == .masquerade { reference.entry = reference.entry.moved(by: count) }
            references.append(reference)
        }
        if rest.settings.count > settings.count {
            configuration.daemon = rest.configuration.daemon
            settings = rest.settings
        }
    }

    // MARK: - Between entries

    /// Notes everything that is wrong between entries: names, references, marks, translations.
    mutating func check() {
        if !hasSection && errors.count == 0 {
            let found = settings.isEmpty ? "there is no section" : "there are settings of \"daemon:\" alone"
            add(files.first ?? "", "\(found); to ask for no rules, write \"services: []\"")
        }
        checkNames()
        checkReferences()
        checkFamilies()
        checkMarks()
        checkTranslations()
    }

    /// Notes names that are there twice: among what marks, and among what translates. Compares hashes, sorted, and texts only where
    /// hashes are equal.
    private mutating func checkNames() {
        let hashes = names.indices.map { (hash: names[$0].text.hashValue, index: $0) }.sorted { $0.hash < $1.hash }
        var duplicates: [(later: Int, earlier: Int, kind: String)] = []
        var start = 0
        while start < hashes.count {
            var end = start + 1
            while end < hashes.count, hashes[end].hash == hashes[start].hash { end += 1 }
            if end - start > 1 {
                var (marking, translating): ([String: Int], [String: Int]) = ([:], [:])
                for index in hashes[start..<end].map(\.index).sorted() {
                    let name = names[index]
                    if name.section != .masquerade, let earlier = marking.insert(name.text, index) {
                        duplicates.append((index, earlier, "services"))
                    } else if name.translates, let earlier = translating.insert(name.text, index) {
                        duplicates.append((index, earlier, "masquerades"))
                    }
                }
            }
            start = end
        }
        for (later, earlier, kind) in duplicates.sorted(by: { $0.later < $1.later }) where errors.counts() {
            let name = names[later]
            errors.keep(
                position(name.entry), path: "\(name.section.rawValue)[\(name.entry.index)].name",
                "duplicate name: another of the \(kind) at \(position(names[earlier].entry)) is \"\(name.text)\"")
        }
    }

    private mutating func checkReferences() {
        guard !references.isEmpty else { return }
        let known = Set(names.lazy.filter { $0.section != .masquerade }.map(\.text))
        for reference in references where !known.contains(reference.service) && errors.counts() {
            errors.keep(
                position(reference.entry), path: "masquerade[\(reference.entry.index)].services[\(reference.number)]",
                "no service has the name \"\(reference.service)\"")
        }
    }

    /// Notes translations of services that have addresses of other families alone.
    private mutating func checkFamilies() {
        guard configuration.masquerades.contains(where: { !$0.services.isEmpty }) else { return }
        var families: [String: Set<Family>] = [:]
        for service in configuration.allServices {
            let lists = [service.addresses, service.sources].map { AddressRanges($0) }
            families[service.name] = Set(Family.allCases.filter { family in lists.allSatisfy { !$0[family].isEmpty } })
        }
        for (index, entry) in configuration.masquerades.enumerated() where !entry.services.isEmpty {
            let known = entry.services.compactMap { families[$0] }
            // One that is not known is told of already, or has errors of its own.
            guard known.count == entry.services.count else { continue }
            let left = known.reduce(Set()) { $0.union($1) }.intersection(entry.addressFamilies)
            guard left.isEmpty, errors.counts() else { continue }
            let place = masquerades[index]
            errors.keep(
                position(place), path: "masquerade[\(place.index)].services",
                "never matches: no service of the list has addresses of the family of this entry's sources, destinations and to")
        }
    }

    private mutating func checkMarks() {
        let conflicts = MarkConflicts.find(in: configuration)
        guard !conflicts.isEmpty else { return }
        let services = configuration.allServices
        for conflict in conflicts where errors.counts() {
            let (later, earlier) = (services[conflict.later], services[conflict.earlier])
            let (entry, path) = marking(conflict.later)
            errors.keep(
                position(entry), path: path,
                "mark \(later.mark) for \(MarkConflicts.example(of: later, earlier)), which \"\(earlier.name)\" at "
                    + "\(position(marking(conflict.earlier).entry)) gives mark \(earlier.mark)")
        }
    }

    private mutating func checkTranslations() {
        let shadows = ShadowedTranslations.find(in: configuration)
        guard !shadows.isEmpty else { return }
        // Indices of those FTP services that translate.
        let translating = configuration.ftp.indices.filter { configuration.ftp[$0].masquerade != nil }
        func place(_ index: Int) -> (entry: EntryPlace, path: String) {
            let isFTP = index < translating.count
            let entry = isFTP ? ftp[translating[index]] : masquerades[index - translating.count]
            return (entry, "\(isFTP ? "ftp" : "masquerade")[\(entry.index)]\(isFTP ? ".active" : "")")
        }
        let translations = configuration.allMasquerades
        for shadow in shadows where errors.counts() {
            let (entry, path) = place(shadow.later)
            let earlier = translations[shadow.earlier]
            let isBothFTP = shadow.later < translating.count && shadow.earlier < translating.count
            let help: String
            if isBothFTP {
                help =
                    "what helps: \"to: virtual-address\" in both, or for each virtual address real servers or a data-port of its own"
            } else if shadow.earlier < translating.count {
                help = "leave it out: the translations of ftp come first"
            } else if ShadowedTranslations.isEither(shadow, of: translations, configuration.allServices) {
                help = "leave one of them out"
            } else {
                help = "put it before that one, or leave it out"
            }
            errors.keep(
                position(entry), path: path,
                "never decides: \"\(earlier.name)\" at \(position(place(shadow.earlier).entry)) takes all its packets and "
                    + "translates them to something else; \(help)")
        }
    }
}

extension [String: Int] {
    /// Notes the index of a text.
    ///
    /// - Returns: the index that was noted before; it stays.
    fileprivate mutating func insert(_ text: String, _ index: Int) -> Int? {
        if let earlier = self[text] { return earlier }
        self[text] = index
        return nil
    }
}
