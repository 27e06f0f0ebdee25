import API
import FoundationEssentials

/// Packets and bytes per second between two looks.
struct Rates {
    /// What a service or masquerade has seen in a second.
    struct Rate {
        var packets: Double
        var bytes: Double
    }

    private(set) var services: [String: Rate] = [:]
    private(set) var masquerades: [String: Rate] = [:]

    /// No rates yet.
    init() {}

    /// The rates between two looks that lie so far apart. Counters that went back, since rules were made anew, give none.
    init(from earlier: Status, to later: Status, in time: Duration) {
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        func rates(
            _ earlier: some Sequence<(String, UInt64, UInt64)>, _ later: some Sequence<(String, UInt64, UInt64)>
        ) -> [String: Rate] {
            let before = Dictionary(earlier.map { ($0.0, ($0.1, $0.2)) }, uniquingKeysWith: { first, _ in first })
            var rates: [String: Rate] = [:]
            for (name, packets, bytes) in later {
                guard let before = before[name], packets >= before.0, bytes >= before.1, seconds > 0 else { continue }
                rates[name] = Rate(packets: Double(packets - before.0) / seconds, bytes: Double(bytes - before.1) / seconds)
            }
            return rates
        }
        services = rates(
            earlier.services.map { ($0.name, $0.packets, $0.bytes) }, later.services.map { ($0.name, $0.packets, $0.bytes) })
        masquerades = rates(
            earlier.masquerades.map { ($0.name, $0.packets, $0.bytes) }, later.masquerades.map { ($0.name, $0.packets, $0.bytes) })
    }
}

/// The daemon's status for people.
struct StatusText {
    private var status: Status
    private let rates: Rates?
    private let style: Style
    private let columns: Int?

    /// The status with these rates (nil: no columns for them), on a terminal so wide (nil: no limit).
    init(_ status: Status, rates: Rates?, _ style: Style, columns: Int?) {
        self.status = status
        self.rates = rates
        self.style = style
        self.columns = columns
    }

    /// The whole.
    var text: String { lines.joined(separator: "\n") + "\n" }

    /// As much as fits into so many rows: the busiest services come first where some are left out.
    func text(rows: Int?) -> String {
        let lines = lines
        guard let rows, lines.count >= rows else { return lines.joined(separator: "\n") + "\n" }
        var busiest = self
        func load(_ name: String) -> Double { rates?.services[name]?.packets ?? 0 }
        busiest.status.services = status.services.map { ($0, load($0.name)) }.sorted { $0.1 > $1.1 }.map(\.0)
        // The cursor needs the last row.
        let shown = busiest.lines.prefix(max(0, rows - 2))
        return shown.joined(separator: "\n") + "\n… \(lines.count - shown.count) more lines; without --watch all are shown\n"
    }

    private var lines: [String] {
        var lines = head
        lines += status.configuration.errors.map { style.red("error") + "    " + $0.text }
        lines += status.warnings.map { style.yellow("warning") + "  " + $0 }
        if let error = status.lastError {
            lines.append("\(style.bold("last error"))  \(HumanText.time(error.time))  \(error.message)")
        }
        if !status.services.isEmpty { lines += [""] + services.lines(columns: columns, style) }
        if !status.masquerades.isEmpty { lines += [""] + masquerades.lines(columns: columns, style) }
        return lines
    }

    // MARK: - The head

    private var head: [String] {
        let configuration = status.configuration
        let state =
            switch status.state {
            case .starting: style.yellow("starting")
            case .inSync: style.green("in sync")
            case .drifted: style.yellow("drifted")
            case .degraded: style.yellow("degraded")
            case .failed: style.red("failed")
            }
        let uptime = HumanText.duration(since: status.started)
        var lines = [
            "\(style.bold("state"))    \(state) since \(HumanText.time(status.since))\(explanation)",
            "\(style.bold("daemon"))   fwmarkd \(status.version), process \(status.pid), running for \(uptime)",
            "\(style.bold("file"))     \(configuration.path), read \(HumanText.time(configuration.loaded)), "
                + "sha256 \(configuration.sha256.prefix(12))",
        ]
        for table in status.tables {
            lines.append(
                "\(style.bold("kernel"))   \(table.family) \(table.table): \(HumanText.count(table.rules, "rule")) in "
                    + "\(HumanText.count(table.chains, "chain")), beside \(HumanText.count(table.foreignRules, "rule")) of others")
        }
        if let last = status.lastReconcile {
            let result = last.error.map { style.red("failed: \($0)") } ?? HumanText.count(last.changes, "change")
            let attempts = last.attempts > 1 ? " after \(last.attempts) attempts" : ""
            lines.append(
                "\(style.bold("change"))   \(HumanText.time(last.time))  \(last.trigger.rawValue): \(result)\(attempts), "
                    + "in \(HumanText.oneDecimal(last.milliseconds)) ms")
        }
        if status.holdsConnectionTracking {
            lines.append(
                "\(style.bold("hold"))     fwmarkd-hold in mangle keeps connection tracking on, so that transfers outlive a flush of nat"
            )
        }
        for server in status.servers where !server.isListening {
            lines.append("\(style.yellow("server"))   \(server.name) does not listen on \(server.address): \(server.error ?? "")")
        }
        if let verified = status.lastVerified { lines.append("\(style.bold("verified")) \(HumanText.time(verified))") }
        return lines
    }

    private var explanation: String {
        switch status.state {
        case .starting: "  the first reconcile is under way"
        case .inSync: ""
        case .drifted: "  the kernel differs from the file; see fwmarkctl plan"
        case .degraded: "  the rules are those of the last good configuration; see fwmarkctl check"
        case .failed: "  \(status.reason ?? "the last attempt failed")" + (next.map { "; next attempt \($0)" } ?? "")
        }
    }

    private var next: String? { status.nextAttempt.map { "at " + HumanText.time($0) } }

    // MARK: - The tables

    private var services: TextTable {
        var table = TextTable(
            [("SERVICE", .left), ("MARK", .left), ("ADDRESSES", .left), ("PORTS", .left), ("IN", .left)] + counterColumns)
        for service in status.services {
            table.add(
                [
                    .init(service.name), .init(service.mark), .init(service.addresses), .init(service.ports),
                    .init(service.inInterface ?? "any"),
                ] + counters(service.packets, service.bytes, rates.map { $0.services[service.name] }))
        }
        return table
    }

    private var masquerades: TextTable {
        var table = TextTable(
            [
                ("TRANSLATION", .left), ("SOURCES", .left), ("PORTS", .left), ("DESTINATIONS", .left), ("OUT", .left),
                ("TO", .left),
            ] + counterColumns)
        for masquerade in status.masquerades {
            table.add(
                [
                    .init(masquerade.name), .init(masquerade.sources), .init(masquerade.ports.isEmpty ? ["any"] : masquerade.ports),
                    .init(masquerade.destinations.isEmpty ? ["any"] : masquerade.destinations),
                    .init(masquerade.outInterface ?? "any"), .init(masquerade.to),
                ] + counters(masquerade.packets, masquerade.bytes, rates.map { $0.masquerades[masquerade.name] }))
        }
        return table
    }

    private var counterColumns: [(title: String, alignment: TextTable.Alignment)] {
        [("PACKETS", .right), ("BYTES", .right)] + (rates == nil ? [] : [("PACKETS/S", .right), ("BYTES/S", .right)])
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
