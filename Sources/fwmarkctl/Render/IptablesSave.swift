import Rules

/// A ruleset as text that `iptables-restore` takes: one family a text, for a restore takes no more.
enum IptablesSave {
    /// The text of the families, a section each, those without rules left out.
    static func render(_ ruleset: Ruleset, _ families: [Family]) -> String {
        var text = ""
        for family in families {
            let tables = Table.allCases.filter { ruleset.tables[TableID(family, $0)] != nil }
            guard !tables.isEmpty else { continue }
            text += "# \(family.command): what fwmarkd wants, for \(family.command)-legacy-restore --noflush\n"
            for table in tables { render(ruleset.tables[TableID(family, table)] ?? [], table, into: &text) }
        }
        return text
    }

    private static func render(_ chains: [Chain], _ table: Table, into text: inout String) {
        text += "*\(table)\n"
        for chain in chains { text += ":\(chain.name) - [0:0]\n" }
        text += "-A \(table.hook) \(Ruleset.jump(into: table).iptablesSyntax)\n"
        for chain in chains {
            for rule in chain.rules { text += "-A \(chain.name) \(rule.iptablesSyntax)\n" }
        }
        text += "COMMIT\n"
    }
}
