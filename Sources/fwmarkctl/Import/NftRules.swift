// SPDX-License-Identifier: GPL-2.0-or-later
import Importer
import Netfilter
import Netlink
import Rules
import SystemCalls

/// The rules that Debian's iptables made in nf_tables.
enum NftRules {
    /// The rules, or nil where there are none; rules that cannot be read are none, and standard error says why.
    static func found() -> FoundRules? {
        var tables: [TableID: [Chain]] = [:]
        do throws(SystemError) {
            for (id, chains) in NftTable.iptables(try NftTable.readAll()) {
                tables[id] = chains.map { Chain($0.name, policy: $0.policy, $0.rules.map { $0.decodingExtensions(id.family) }) }
            }
        } catch {
            StandardError.note("the rules of nf_tables cannot be read: \(error)")
        }
        guard tables.values.contains(where: { $0.contains { !$0.rules.isEmpty } }) else { return nil }
        return FoundRules(tables: tables, from: .nft)
    }
}
