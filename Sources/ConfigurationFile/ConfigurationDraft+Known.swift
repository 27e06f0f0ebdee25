// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension ConfigurationDraft {
    /// The draft that a configuration was made of.
    init(_ known: LoadedConfiguration) {
        self.init()
        configuration = known.configuration
        files = known.files.map(\.path)
        lists = known.lists
        let (ftpCount, serviceCount) = (configuration.ftp.count, configuration.services.count)
        ftp = Array(known.entries.prefix(ftpCount))
        services = Array(known.entries.dropFirst(ftpCount).prefix(serviceCount))
        masquerades = Array(known.entries.dropFirst(ftpCount + serviceCount))
        hasSection = true
    }

    /// An entry of a section.
    struct KnownEntry {
        let section: Section
        /// Its number in the configuration.
        let number: Int
        let place: Place
    }

    /// The last entry of the file that begins before the line.
    func last(in file: Int, before line: Int) -> KnownEntry? {
        Section.allCases.compactMap { section in
            entry(section, firstNumber(section, from: (file, line)) - 1, in: file)
        }.max { $0.place.line < $1.place.line }
    }

    /// The first entry of the file's section that begins after the line.
    func first(in file: Int, of section: Section, after line: Int) -> KnownEntry? {
        entry(section, firstNumber(section, from: (file, line + 1)), in: file)
    }

    private func entry(_ section: Section, _ number: Int, in file: Int) -> KnownEntry? {
        let places = places(section)
        guard places.indices.contains(number), places[number].file == file else { return nil }
        return KnownEntry(section: section, number: number, place: places[number].place)
    }

    /// The number of the section's first entry that does not begin before a line of a file.
    private func firstNumber(_ section: Section, from line: (file: Int, line: Int)) -> Int {
        let places = places(section)
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            let isBefore = (Int(places[middle].file), Int(places[middle].place.line)) < line
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func places(_ section: Section) -> [EntryPlace] {
        switch section {
        case .ftp: ftp
        case .services: services
        case .masquerade: masquerades
        }
    }

    /// Puts what a part of the file says in place of its entries from the first on.
    ///
    /// - Parameters:
    ///   - next: the first that stays; nil: none of that list does.
    ///   - lines: how many lines more the part has than what was there.
    mutating func replace(_ first: KnownEntry, until next: KnownEntry?, in file: Int, by part: FilePart, _ lines: Int) {
        let end = next?.number ?? firstNumber(first.section, from: (file + 1, 0))
        let (range, read) = (first.number..<end, part.draft)
        for section in Section.allCases {
            let moved = part.count - range.count
            var places = places(section)
            for index in places.indices where Int(places[index].file) == file && places[index].place.line > first.place.line {
                places[index].place.line += Int32(lines)
                if section == first.section { places[index].index += Int32(moved) }
            }
            if section == first.section {
                let index = Int(places[first.number].index)
                places.replaceSubrange(range, with: read.places(section).map { $0.moved(by: index) })
            }
            set(places, of: section)
        }
        switch first.section {
        case .ftp: configuration.ftp.replaceSubrange(range, with: read.configuration.ftp)
        case .services: configuration.services.replaceSubrange(range, with: read.configuration.services)
        case .masquerade: configuration.masquerades.replaceSubrange(range, with: read.configuration.masquerades)
        }
        for index in lists[file].indices where lists[file][index].section == first.section {
            lists[file][index].count += part.count - range.count
        }
    }

    private mutating func set(_ places: [EntryPlace], of section: Section) {
        switch section {
        case .ftp: ftp = places
        case .services: services = places
        case .masquerade: masquerades = places
        }
    }

    /// Notes the names of all entries and the services that translations name, as they are noted while files are read. They are as
    /// good for finding errors, and not for telling them: the places are those of the entries.
    mutating func noteNames() {
        names = zip(configuration.ftp, ftp).map { entry, place in
            Name(text: entry.name, section: .ftp, translates: entry.forwarding == .nat && entry.active != nil, entry: place)
        }
        names += zip(configuration.services, services).map { entry, place in
            Name(text: entry.name, section: .services, translates: false, entry: place)
        }
        names += zip(configuration.masquerades, masquerades).map { entry, place in
            Name(text: entry.name, section: .masquerade, translates: true, entry: place)
        }
        references = zip(configuration.masquerades, masquerades).flatMap { entry, place in
            entry.services.enumerated().map { number, service in Reference(service: service, entry: place, number: number) }
        }
    }
}
