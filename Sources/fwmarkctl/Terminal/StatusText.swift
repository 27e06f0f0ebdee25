// SPDX-License-Identifier: GPL-2.0-or-later
import API
import FoundationEssentials
import Rules

/// The daemon's status for people.
struct StatusText {
    private var status: Status
    private let rates: Rates?
    private let style: Style
    private let columns: Int?

    /// For how many frames of --watch a page is shown.
    static let framesOfPage = 5
    /// How many lines of one kind (errors, warnings) are shown.
    private static let noteLimit = 20

    /// The status with these rates (nil: no columns for them), on a terminal so wide (nil: no limit).
    init(_ status: Status, rates: Rates?, _ style: Style, columns: Int?) {
        (self.status, self.rates, self.style, self.columns) = (status, rates, style, columns)
    }

    /// The whole.
    var text: String { lines.joined(separator: "\n") + "\n" }

    /// As much as fits into that many rows, the state first: the busiest services come first where some are left out.
    func text(rows: Int?, page: Int = 0) -> String {
        let lines = lines
        guard let rows, lines.count >= rows else { return lines.joined(separator: "\n") + "\n" }
        var busiest = self
        func load(_ name: String) -> Double { rates?.services[name]?.packets ?? 0 }
        busiest.status.services = status.services.map { ($0, load($0.name)) }.sorted { $0.1 > $1.1 }.map(\.0)
        // The state stays in sight; the rest is turned page by page. The cursor needs the last row.
        let all = busiest.lines
        let room = max(1, rows - 3)
        let rest = all.dropFirst()
        let pages = (rest.count + room - 1) / room
        let shown = rest.dropFirst(page % pages * room).prefix(room)
        let foot = "page \(page % pages + 1) of \(pages), turned every \(StatusText.framesOfPage) s; without --watch all is shown"
        return ([all[0]] + shown + [cut(foot)]).joined(separator: "\n") + "\n"
    }

    private func cut(_ text: String) -> String {
        guard let columns, text.count > columns else { return text }
        return text.prefix(max(1, columns - 1)) + "…"
    }

    private var lines: [String] {
        var lines = head
        let configuration = status.configuration
        lines += notes(configuration.errors.map(\.description), "error", style.red, rest: "fwmarkctl check shows all")
        // What is refused for it says so already.
        if let file = configuration.unreadable, !configuration.errors.contains(where: { $0.message.hasSuffix(file.command) }) {
            lines += labelled("error", style.red, "the daemon's user cannot read \(file.path); type: \(file.command)")
        }
        if let changed = configuration.changed {
            lines += labelled(
                "note", style.yellow,
                "the file was changed \(HumanText.time(changed)), after it was read; fwmarkctl reload puts it in force")
        }
        lines += notes(
            configuration.ignoredFiles.map { "\($0) is not read: its name does not end in .yaml" }, "warning", style.yellow)
        lines += notes(status.warnings, "warning", style.yellow)
        if let reason = status.ipvsError { lines += labelled("ipvs", style.yellow, reason) }
        let servers = status.servers.filter { !$0.isListening }
        lines += notes(
            servers.map { "not listening on \($0.address)" + ($0.error.map { ": \($0)" } ?? "") }, "warning", style.yellow)
        lines += notes(
            status.services.flatMap { service in service.warnings.map { "\(service.name): \($0)" } }, "warning", style.yellow)
        if let error = status.lastError {
            // Further lines are errors of the file, which are shown as such as long as they are there.
            let first = error.message.prefix { $0 != "\n" }
            lines += labelled("last", style.bold, "\(HumanText.time(error.time))  \(first)")
        }
        if !status.services.isEmpty { lines += [""] + services.lines(columns: columns, style) }
        if !status.masquerades.isEmpty { lines += [""] + masquerades.lines(columns: columns, style) }
        return lines
    }

    // MARK: - The head

    /// The text after a word of at most eight letters, broken into lines that fit.
    private func labelled(_ label: String, _ paint: (String) -> String, _ text: String) -> [String] {
        let indentation = 9
        var lines: [String] = []
        for line in HumanText.wrapped(text, width: columns.map { max(20, $0 - indentation) }) {
            let head = lines.isEmpty ? paint(label) + String(repeating: " ", count: indentation - label.count) : "         "
            lines.append(head + line)
        }
        return lines
    }

    private func notes(_ texts: [String], _ label: String, _ paint: (String) -> String, rest: String = "") -> [String] {
        var lines = texts.prefix(StatusText.noteLimit).flatMap { labelled(label, paint, $0) }
        if texts.count > StatusText.noteLimit {
            let more = "and \(texts.count - StatusText.noteLimit) more" + (rest.isEmpty ? "" : "; \(rest)")
            lines += labelled(label, paint, more)
        }
        return lines
    }

    private var head: [String] {
        let configuration = status.configuration
        let uptime = HumanText.duration(seconds: max(0, Int(Date.now.timeIntervalSince(status.started))))
        var lines = [cutPainted("\(style.bold("state"))    ", StatusText.painted(status.state, style), explanation)]
        lines += labelled("daemon", style.bold, "fwmarkd \(status.version), process \(status.pid), running for \(uptime)")
        lines += labelled(
            "file", style.bold,
            "\(configuration.path), read \(HumanText.time(configuration.loaded)), sha256 \(configuration.sha256.prefix(12))")
        for table in status.tables {
            lines += labelled(
                "kernel", style.bold,
                "\(table.family) \(table.table): \(counted(table.rules, "rule")) in "
                    + "\(counted(table.chains, "chain")), beside \(counted(table.foreignRules, "rule")) of others")
        }
        if let last = status.lastReconcile {
            let result = last.error.map { "failed: \($0)" } ?? counted(last.changes, "change")
            let attempts = last.attempts > 1 ? " after \(last.attempts) attempts" : ""
            lines += labelled(
                "change", style.bold,
                "\(HumanText.time(last.time))  \(last.trigger.rawValue): \(result)\(attempts), "
                    + "in \(HumanText.oneDecimal(last.milliseconds)) ms")
        }
        if let verified = status.lastVerified { lines += labelled("verified", style.bold, HumanText.time(verified)) }
        return lines
    }

    /// A label, a painted word and a text, of which as much as fits into one line.
    private func cutPainted(_ label: String, _ word: (text: String, painted: String), _ text: String) -> String {
        guard !text.isEmpty else { return label + word.painted }
        guard let columns else { return label + word.painted + "  " + text }
        let room = max(0, columns - 9 - word.text.count - 2)
        return label + word.painted + "  " + (text.count > room ? text.prefix(max(0, room - 1)) + "…" : text)
    }

    /// The state in words, and in its colour.
    static func painted(_ state: Status.State, _ style: Style) -> (text: String, painted: String) {
        switch state {
        case .starting: ("starting", style.yellow("starting"))
        case .inSync: ("in sync", style.green("in sync"))
        case .drifted: ("drifted", style.yellow("drifted"))
        case .degraded: ("degraded", style.yellow("degraded"))
        case .failed: ("failed", style.red("failed"))
        }
    }

    private var explanation: String {
        let since = "since \(HumanText.time(status.since))"
        let next = status.nextAttempt.map { "; next attempt \(HumanText.time($0))" } ?? ""
        let text: String
        switch status.state {
        case .inSync: return ""
        case .starting: return "the first comparison is under way, or waits for the xtables lock"
        case .drifted: text = "the kernel differs from the file; see fwmarkctl plan"
        case .degraded: text = "the rules are those of the last good configuration; see fwmarkctl check"
        case .failed: text = "the kernel does not have what the file asks for"
        }
        return "\(status.reason ?? text), \(since)\(next)"
    }

    // MARK: - The tables

    private var services: TextTable {
        var table = TextTable(
            [
                .init("SERVICE"), .init("MARK"), .init("ADDRESSES", importance: 8), .init("PORTS", importance: 7),
                .init("IN", importance: 3), .init("AT", importance: 1), .init("SERVERS", importance: 5),
            ] + counterColumns)
        for service in status.services {
            table.add(
                [
                    .init(service.name), .init(service.mark), .init(service.addresses.isEmpty ? ["any"] : service.addresses),
                    .init(service.ports), .init(service.inInterfaces.isEmpty ? ["any"] : service.inInterfaces),
                    .init(service.hooks), .init(StatusText.servers(service)),
                ] + counters(service.packets, service.bytes, rates.map { $0.services[service.name] }))
        }
        return table
    }

    /// Real servers that take connections, of how many there are: `2/3`; for each family where there are two.
    private static func servers(_ service: ServiceStatus) -> [String] {
        guard !service.virtualServices.isEmpty else { return ["-"] }
        return service.virtualServices.map { virtual in
            "\(virtual.realServers.count { $0.weight > 0 })/\(virtual.realServers.count)"
        }
    }

    private var masquerades: TextTable {
        var table = TextTable(
            [
                .init("TRANSLATION"), .init("SOURCES", importance: 7), .init("PORTS", importance: 5),
                .init("DESTINATIONS", importance: 3), .init("OUT", importance: 2), .init("TO", importance: 8),
            ] + counterColumns)
        func any(_ values: [String]) -> TextTable.Cell { .init(values.isEmpty ? ["any"] : values) }
        for masquerade in status.masquerades {
            table.add(
                [
                    .init(masquerade.name), any(masquerade.sources), any(masquerade.ports), any(masquerade.destinations),
                    any(masquerade.outInterfaces), .init(masquerade.to),
                ] + counters(masquerade.packets, masquerade.bytes, rates.map { $0.masquerades[masquerade.name] }))
        }
        return table
    }

    private var counterColumns: [TextTable.Column] {
        let totals = rates == nil ? 6 : 4
        let columns: [TextTable.Column] = [
            .init("PACKETS", .right, importance: totals), .init("BYTES", .right, importance: totals),
        ]
        guard rates != nil else { return columns }
        return columns + [.init("PACKETS/S", .right, importance: 9), .init("BYTES/S", .right, importance: 6)]
    }

    /// The cells of the counters; the rate is nil without columns for it, and nil inside while it is not known.
    private func counters(_ packets: UInt64, _ bytes: UInt64, _ rate: Rates.Rate??) -> [TextTable.Cell] {
        var cells: [TextTable.Cell] = [.init("\(packets)"), .init(HumanText.bytes(bytes))]
        if let rate {
            cells += rate.map { [.init(HumanText.oneDecimal($0.packets)), .init(HumanText.bytes($0.bytes))] } ?? ["-", "-"]
        }
        return cells
    }
}
