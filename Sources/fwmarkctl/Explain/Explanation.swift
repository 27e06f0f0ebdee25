import ConfigurationFile
import Planner
import Rules

/// What becomes of a packet, as JSON and in words.
struct Explanation: Encodable {
    /// A rule that the packet fits.
    struct Step: Encodable {
        var table: String
        var chain: String
        /// The rule's number in the chain, counted from 1.
        var number: Int
        /// In the syntax of iptables.
        var rule: String
        /// The service or masquerade whose rule it is; absent for a rule that only leads on.
        var name: String?
        /// Where that stands: `file:line:column`.
        var position: String?
    }

    /// What is explained: `file` or `kernel`.
    var against: String
    /// The mark at the end of our chains; absent: none.
    var mark: UInt32?
    /// `masquerade`, or the address that the source becomes; absent: it stays.
    var sourceTranslation: String?
    /// The rules that the packet fits, in the order in which it meets them.
    var steps: [Step]
    /// The rules that it would fit as well if it came in or left by the right interface, where none was given.
    var undecided: [Step]
    /// What else has to be known: rules of others before ours, and the like.
    var notes: [String]

    /// The way of the packet through the rules of `tables`.
    init(_ packet: Packet, _ ruleset: Ruleset, _ origins: Origins, against: String, notes: [String]) {
        let explainer = Explainer(ruleset)
        let marks = explainer.traversal(of: packet, in: .mangle)
        let translations = explainer.traversal(of: packet, in: .nat)
        func steps(_ steps: [Traversal.Step], _ table: Table) -> [Step] {
            steps.map { step in
                let name = origins.owner(of: step.rule, in: TableID(packet.destination.family, table))
                return Step(
                    table: table.rawValue, chain: step.chain.text, number: step.number, rule: step.rule.iptablesSyntax, name: name,
                    position: name.flatMap { origins.position($0, table) })
            }
        }
        self.against = against
        self.notes = notes
        self.steps = steps(marks.steps, .mangle) + steps(translations.steps, .nat)
        undecided = steps(marks.undecided, .mangle) + steps(translations.undecided, .nat)
        mark = marks.mark == 0 ? nil : marks.mark
        if case .translated(let translation) = translations.end {
            sourceTranslation =
                switch translation {
                case .masquerade: "masquerade"
                case .address(let address): "\(address)"
                }
        }
    }

    /// Where the services and masquerades of the file stand.
    struct Origins {
        private var services: [String: SourcePosition] = [:]
        private var masquerades: [String: SourcePosition] = [:]
        private let owners: RuleOwners

        /// The origins in the configuration; none without one.
        init(_ configuration: Configuration?) {
            owners = RuleOwners(of: configuration ?? Configuration())
            guard let configuration else { return }
            for service in configuration.allServices { services[service.name] = service.position }
            for masquerade in configuration.allMasquerades { masquerades[masquerade.name] = masquerade.position }
        }

        /// The service or masquerade whose rule it is.
        func owner(of rule: Rule, in id: TableID) -> String? { owners.owner(of: rule, in: id) }

        /// The place of what put a rule of that name into the table.
        func position(_ name: String, _ table: Table) -> String? {
            (table == .mangle ? services : masquerades)[name].map { "\($0)" }
        }
    }

    // MARK: - In words

    /// The whole, in lines.
    func text(_ style: Style) -> String {
        var lines = notes.map { style.yellow("note") + "    " + $0 }
        lines.append(style.bold("mark") + "    " + (mark.map { style.green("\($0)") + " (0x\(String($0, radix: 16)))" } ?? "none"))
        lines += steps(of: Table.mangle)
        let source =
            switch sourceTranslation {
            case nil: "stays as it is"
            case "masquerade": style.green("masquerade") + ", the primary address of the interface that it leaves by"
            case let address?: style.green(address)
            }
        lines.append(style.bold("source") + "  " + source)
        lines += steps(of: Table.nat)
        return lines.joined(separator: "\n") + "\n"
    }

    private func steps(of table: Table) -> [String] {
        func line(_ step: Step) -> [String] {
            var lines: [String] = []
            if let name = step.name {
                lines.append("        by \(name)" + (step.position.map { ", \($0)" } ?? ""))
            }
            return lines + ["        \(step.chain) \(step.number): \(step.rule)"]
        }
        var lines = steps.filter { $0.table == table.rawValue }.flatMap(line)
        let others = undecided.filter { $0.table == table.rawValue }
        if !others.isEmpty {
            lines.append("        and, depending on the interface (\(table == .mangle ? "--in-interface" : "--out-interface")):")
            lines += others.flatMap(line)
        }
        return lines
    }
}
