// SPDX-License-Identifier: GPL-2.0-or-later
package import Netfilter
package import Rules

package let nat = TableID(.ipv4, .nat)
package let mangle = TableID(.ipv4, .mangle)

/// A rule for each letter; equal letters, equal rules.
package func rule(_ letter: Character) -> Rule {
    let port = UInt16(letter.asciiValue ?? 0)
    return Rule(
        RuleMatch(transport: ProtocolMatch(.tcp), conditions: [.ports(PortMatch(.destination, [PortRange(port)]))]),
        comment: String(letter), target: .returnToCaller)
}

/// The rule of the letter, as the kernel has it after some packets.
package func standing(_ letter: Character, packets: UInt64 = 0) -> KernelRule {
    KernelRule(rule(letter), counters: Counters(packets: packets, bytes: packets * 100))
}

/// Our jump into the table's first entry chain.
package func jump(_ table: Table) -> Rule { Ruleset.jump(into: table.entries[0].chain) }

/// One letter for each rule.
package func letters(_ rules: [KernelRule]) -> String { String(rules.map { $0.content.comment?.first ?? "?" }) }

package func chainName(_ text: String) -> ChainName { ChainName(bytes: text.utf8) }

/// The table with these chains of rules, by letter; `>` is our jump.
package func table(_ id: TableID, _ chains: KeyValuePairs<String, String>, packets: UInt64 = 0) -> TableSnapshot {
    var table = TableSnapshot.empty(id)
    for (name, text) in chains {
        let rules = text.map { letter in
            letter == ">" ? KernelRule(jump(id.table)) : standing(letter, packets: packets)
        }
        table.change(chainName(name)) { $0 = rules }
    }
    return table
}

/// A ruleset of these chains of rules, by letter.
package func ruleset(_ tables: [TableID: KeyValuePairs<String, String>]) -> Ruleset {
    Ruleset(tables: tables.mapValues { chains in chains.map { Chain(chainName($0.key), $0.value.map(rule)) } })
}

/// The chains that are not empty, with a letter for each rule: `PREROUTING: x>  fwmarkd-mark: AB`.
package func picture(_ table: TableSnapshot?) -> String {
    guard let table else { return "absent" }
    return table.chains.filter { !$0.rules.isEmpty || !$0.isBuiltIn }.map { chain in
        let rules = chain.rules.map { $0.isOurJump ? ">" : letters([$0]) }.joined()
        return "\(chain.name): \(rules)"
    }.joined(separator: "  ")
}
