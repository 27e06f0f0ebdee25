// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// What tables do to packets, by the rules of x_tables (`ipt_do_table` in `net/ipv4/netfilter/ip_tables.c`), without any kernel.
///
/// A mark set lets the packet go on; a translation, an accept or a drop ends the table. At the end of a chain, and at RETURN, the
/// packet goes on after the last jump (`-j`); a goto (`-g`) leaves nothing to come back to. Where it is not known whether the packet
/// matches a rule, both ways are followed, as far as there are few; what they agree on is known.
///
/// Example: a TCP packet to 203.0.113.10, whose destination port is not known, at prerouting.
///
///     -A PREROUTING -m mark --mark 7 -j DROP        the packet has no mark: passed by
///     -A PREROUTING -d 203.0.113.0/24 -j LVS        matches: on in LVS
///     -A LVS -p udp -j RETURN                       passed by
///     -A LVS -p tcp --dport 21 -j MARK --set-mark 21   not known: one way with mark 21, one without
///     -A LVS -j MARK --set-mark 80                  both ways
///
/// Both ways end with mark 80 and pass: mark 80 is known. Without the last rule the mark would be unknown, because of rule 2 of LVS.
package struct Judge: Sendable {
    let tables: [TableID: CompiledTable]

    /// A judge of these tables, built-in chains with their policies. A missing table or chain is an empty one.
    package init(tables: [TableID: [Chain]]) {
        self.tables = tables.mapValues { CompiledTable($0) }
    }

    init(_ tables: [TableID: CompiledTable]) { self.tables = tables }

    /// The tables that a packet meets at a hook, in the kernel's order (`enum nf_ip_hook_priorities`, `<linux/netfilter_ipv4.h>`).
    package static func tables(at hook: Hook) -> [Table] {
        let all: [Table] =
            hook == .postrouting || hook == .input
            ? [.raw, .mangle, .filter, .security, .nat] : [.raw, .mangle, .nat, .filter, .security]
        return all.filter { $0.hooks.contains(hook) }
    }

    /// What becomes of the packet at the hook.
    ///
    /// - Parameter only: this table alone; nil: all tables of the hook, one after the other.
    package func judge(_ packet: JudgedPacket, at hook: Hook, only: Table? = nil) -> Judgement {
        let order = only.map { $0.hooks.contains(hook) ? [$0] : [] } ?? Judge.tables(at: hook)
        var waiting = [Way(packet)]
        var ended: [Way] = []
        var forks = 0
        while var way = waiting.popLast() {
            while let table = order.dropFirst(way.tablesPassed).first {
                guard let compiled = tables[TableID(packet.family, table)], let start = compiled.number(of: hook.chain),
                    way.meets(table)
                else {
                    way.tablesPassed += 1
                    continue
                }
                let walk = Walk(table: table, hook: hook, compiled: compiled, start: start)
                if let other = walk.goOn(&way) {
                    forks += 1
                    // Too many ways: what they might do is in doubt.
                    if forks < Judge.maximumForks { waiting.append(other) } else { way.doubtAll(other.firstFork) }
                    continue
                }
                if way.isOver { break }
            }
            ended.append(way)
        }
        return Judgement(ended)
    }

    private static let maximumForks = 256
}

/// A table with the numbers of the chains that rules lead to.
struct CompiledTable: Sendable {
    let chains: [Chain]
    let targets: [[Int]]
    private let numbers: [ChainName: Int]

    init(_ chains: [Chain]) {
        self.chains = chains
        let numbers = Dictionary(zip(chains.map(\.name), chains.indices), uniquingKeysWith: { first, _ in first })
        self.numbers = numbers
        targets = chains.map { chain in chain.rules.map { rule in rule.target.chain.flatMap { numbers[$0] } ?? -1 } }
    }

    init(chains: [Chain], targets: [[Int]], numbers: [ChainName: Int]) {
        (self.chains, self.targets, self.numbers) = (chains, targets, numbers)
    }

    func number(of name: ChainName) -> Int? { numbers[name] }
}
