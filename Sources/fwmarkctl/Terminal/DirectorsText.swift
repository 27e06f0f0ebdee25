// SPDX-License-Identifier: GPL-2.0-or-later
import API

/// Several directors side by side.
struct DirectorsText {
    /// A director, and its status or why there is none.
    struct Director: Sendable {
        var url: DirectorURL
        var answer: Result<Status, Failure>

        /// 0: its rules are in force; 3: they are not; 4: it does not answer as it should.
        var exitStatus: ExitStatus {
            switch answer {
            case .success(let status): status.state.isSettled ? .success : .notInSync
            case .failure: .notRunning
            }
        }

        var name: String {
            if case .success(let status) = answer, !status.host.isEmpty { return status.host }
            return url.host
        }
    }

    private let directors: [Director]
    private let style: Style
    private let columns: Int?

    /// These directors, on a terminal so wide (nil: no limit).
    init(_ directors: [Director], _ style: Style, columns: Int?) {
        (self.directors, self.style, self.columns) = (directors, style, columns)
    }

    /// The worst of all.
    static func exitStatus(_ directors: [Director]) -> ExitStatus {
        directors.map(\.exitStatus).max { $0.rawValue < $1.rawValue } ?? .success
    }

    /// The table, then what differs between their configurations.
    var text: String {
        var table = TextTable([
            .init("DIRECTOR"), .init("STATE"), .init("SINCE", importance: 3), .init("SERVICES", .right, importance: 4),
            .init("CONFIGURATION", importance: 5), .init("VERSION", importance: 1), .init("NOTE", importance: 2),
        ])
        var lines: [String] = []
        for director in directors {
            switch director.answer {
            case .success(let status):
                let note = status.reason ?? status.warnings.first ?? (status.configuration.changed == nil ? "" : "file changed")
                table.add([
                    .init(director.name), .init(StatusText.painted(status.state, Style(isColoured: false)).text),
                    .init(HumanText.time(status.since)), .init("\(status.serviceCount)"),
                    .init(String(status.configuration.sha256.prefix(12))), .init(status.version), .init(note),
                ])
            case .failure(let failure):
                table.add([.init(director.name), "no answer", "-", "-", "-", "-", ""])
                lines += failure.lines.prefix(1)
            }
        }
        return (table.lines(columns: columns, style) + lines + differences).joined(separator: "\n") + "\n"
    }

    // MARK: - Differences

    private static let differenceLimit = 30

    /// What differs between each director's configuration and the first one's.
    private var differences: [String] {
        let answering = directors.compactMap { director -> (String, Status)? in
            guard case .success(let status) = director.answer else { return nil }
            return (director.name, status)
        }
        guard let (firstName, first) = answering.first else { return [] }
        var lines: [String] = []
        for (name, status) in answering.dropFirst() where status.configuration.sha256 != first.configuration.sha256 {
            lines.append(style.yellow("\(name) and \(firstName) have different configurations:"))
            let found =
                DirectorsText.differences("service", first.services.map(\.fixed), status.services.map(\.fixed), name, firstName)
                + DirectorsText.differences(
                    "translation", first.masquerades.map(\.fixed), status.masquerades.map(\.fixed), name, firstName)
            lines +=
                found.isEmpty ? ["  only in the daemon's settings"] : found.prefix(DirectorsText.differenceLimit).map { "  " + $0 }
            if found.count > DirectorsText.differenceLimit {
                lines.append("  and \(found.count - DirectorsText.differenceLimit) more")
            }
        }
        return lines
    }

    private static func differences<Item: Hashable>(
        _ kind: String, _ first: [(name: String, item: Item)], _ other: [(name: String, item: Item)], _ otherName: String,
        _ firstName: String
    ) -> [String] {
        let inFirst = Dictionary(first.map { ($0.name, $0.item) }, uniquingKeysWith: { first, _ in first })
        let inOther = Dictionary(other.map { ($0.name, $0.item) }, uniquingKeysWith: { first, _ in first })
        let missing = first.filter { inOther[$0.name] == nil }.map { "\(kind) \($0.name) is on \(firstName) alone" }
        let changed = first.filter { inOther[$0.name] != nil && inOther[$0.name] != $0.item }.map {
            "\(kind) \($0.name) differs"
        }
        let added = other.filter { inFirst[$0.name] == nil }.map { "\(kind) \($0.name) is on \(otherName) alone" }
        return missing + changed + added
    }
}

extension ServiceStatus {
    /// What the configuration says of it, without what the kernel says.
    fileprivate var fixed: (name: String, item: ServiceStatus) {
        var item = self
        (item.packets, item.bytes, item.virtualServices, item.warnings) = (0, 0, [], [])
        return (name, item)
    }
}

extension MasqueradeStatus {
    /// What the configuration says of it, without what the kernel says.
    fileprivate var fixed: (name: String, item: MasqueradeStatus) {
        var item = self
        (item.packets, item.bytes) = (0, 0)
        return (name, item)
    }
}
