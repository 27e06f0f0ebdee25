import Netfilter
import Rules
import XTables

/// Our rules as they stand in the kernel, and what stands in their way.
struct KernelView {
    /// Our chains.
    private(set) var ruleset = Ruleset()
    /// What keeps the ruleset from being the whole truth, a sentence each.
    private(set) var notes: [String] = []

    /// Reads the family's tables.
    init(_ family: Family) throws(NetfilterError) {
        for table in Table.allCases { read(try KernelTables().snapshot(TableID(family, table)), TableID(family, table)) }
    }

    private mutating func read(_ snapshot: TableSnapshot?, _ id: TableID) {
        let command = "\(id.family.command) -t \(id.table)"
        guard let snapshot, let hook = snapshot[id.table.hook],
            let jump = hook.rules.firstIndex(where: { $0.content == .rule(Ruleset.jump(into: id.table)) })
        else {
            notes.append("\(command): no jump of fwmarkd's stands in \(id.table.hook); no packet comes to its rules")
            return
        }
        if jump > 0 {
            notes.append(
                "\(command): before fwmarkd's jump in \(id.table.hook) stand \(HumanText.count(jump, "rule")) of others, "
                    + "which may end a packet's way or set its mark:")
            let texts = RulePrinter.text(of: hook.rules[..<jump].map(\.content), id.family)
            notes += texts.enumerated().map { "  \(id.table.hook) \($0 + 1): \($1)" }
        }
        ruleset.tables[id] = snapshot.chains.filter { $0.name.isOurs }.map { chain in
            Chain(chain.name, chain.rules.enumerated().map { index, rule in known(rule, id, chain.name, index + 1) })
        }
    }

    /// The rule, or for one that we have no words for a rule that no packet fits, so that the others keep their numbers.
    private mutating func known(_ rule: KernelRule, _ id: TableID, _ chain: ChainName, _ number: Int) -> Rule {
        switch rule.content {
        case .rule(let rule): return rule
        case .opaque:
            notes.append(
                "\(id.family.command) -t \(id.table): \(chain) \(number) is no rule of fwmarkd's, and is left out: "
                    + RulePrinter.text(of: rule.content, id.family))
            let all = Prefix(containing: Address(family: id.family, bits: 0), length: 0)
            return Rule(destination: AddressMatch(all, isInverted: true), target: .returnToCaller)
        }
    }
}
