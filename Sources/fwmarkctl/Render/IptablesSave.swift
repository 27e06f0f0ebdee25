// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// A ruleset as text that `iptables-restore` takes: one family a text, for a restore takes no more.
enum IptablesSave {
    /// The text of the families, a section each, those without rules left out.
    static func render(_ ruleset: Ruleset, _ families: [Family]) -> String {
        var text = ""
        for family in families {
            let tables = TableID.ours.filter { $0.family == family && ruleset.tables[$0] != nil }
            guard !tables.isEmpty else { continue }
            text += "# \(family.command)-legacy: what fwmarkd wants, for \(family.command)-legacy-restore --noflush\n"
            for id in tables {
                let chains = ruleset.tables[id] ?? []
                text += "*\(id.table)\n"
                for chain in chains { text += ":\(chain.name) - [0:0]\n" }
                for (hook, jump) in ruleset.jumps(id) { text += "-A \(hook.chain) \(jump.iptablesSyntax)\n" }
                for chain in chains {
                    for rule in chain.rules { text += "-A \(chain.name) \(rule.iptablesSyntax)\n" }
                }
                text += "COMMIT\n"
            }
        }
        return text
    }
}
