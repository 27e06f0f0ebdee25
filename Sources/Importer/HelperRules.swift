// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// The rules of raw PREROUTING that give connections the connection tracking helper of FTP (`CT --helper ftp`).
struct HelperRules {
    private var helped: [(rule: FoundRule, region: Region)] = []

    init(_ found: FoundRules) {
        for family in Family.allCases {
            guard let chains = found.tables[TableID(family, .raw)] else { continue }
            let items = HookWalk(chains, family, from: Hook.prerouting.chain, skipsOurs: !found.isFromText).items
            // A rule that ends the table keeps packets from those after it.
            for item in items {
                guard item.rule.rule.target == .helper("ftp") else {
                    if item.rule.rule.target == .none { continue }
                    break
                }
                if item.region.isExact { helped.append((item.rule, item.region)) }
            }
        }
    }

    /// The rules for control connections of an entry, and for nothing else.
    func rules(of entry: FTPService) -> [FoundRule] {
        guard entry.active?.to == .virtualAddress else { return [] }
        return helped.filter { isOf($0.region, entry) }.map(\.rule)
    }

    /// Whether all control connections of the entry have the helper, and their data connections are translated.
    func areComplete(for entry: FTPService) -> Bool {
        guard entry.active?.realServers.isEmpty == false else { return false }
        let regions = helped.map(\.region).filter { isOf($0, entry) }
        return entry.addresses.allSatisfy { address in
            let own = regions.filter { $0.addresses.included.contains(address) }.flatMap(\.destinationPorts)
            return entry.controlPorts.allSatisfy { port in own.contains { $0.contains(port) } }
                && (entry.active?.realServers ?? []).contains { $0.family == address.family }
        }
    }

    private func isOf(_ region: Region, _ entry: FTPService) -> Bool {
        var plain = Region()
        plain.addresses = region.addresses
        plain.transport = TransportProtocol.tcp.number
        plain.destinationPorts = region.destinationPorts
        return region == plain && !region.addresses.included.isEmpty && region.addresses.excluded.isEmpty
            && region.addresses.included.allSatisfy(entry.addresses.contains)
            && region.destinationPorts.allSatisfy { $0.lower == $0.upper && entry.controlPorts.contains($0.lower) }
    }
}
