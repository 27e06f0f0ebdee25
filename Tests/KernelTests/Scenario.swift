// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import NamespaceSupport
import Netfilter
import Planner
import Reconciler
import Rules
import Synchronization

/// Reads a configuration and plans its rules.
func ruleset(of text: String) throws -> Ruleset {
    let loaded = try Configuration.load([ConfigurationText(path: "test.yaml", bytes: Array(text.utf8))])
    return Planner.plan(for: loaded.configuration).ruleset
}

extension NetworkNamespace {
    /// A reconciler of the calling thread's namespace, and what counts its commits.
    func reconciler() -> (Reconciler<CountingTables>, CommitCount) {
        let tables = CountingTables(tables: KernelTables(lockPath: lockPath))
        return (Reconciler(tables), tables.commits)
    }

    /// Brings the namespace to the configuration.
    func apply(_ text: String) async throws {
        _ = try await reconciler().0.reconcile(to: try ruleset(of: text))
    }
}

/// How often tables were committed.
final class CommitCount: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}

/// The kernel's tables, with a count of the commits.
struct CountingTables: RuleStore {
    let tables: KernelTables
    let commits = CommitCount()

    struct Prepared: PreparedCommit {
        let table: PreparedTable
        let commits: CommitCount

        var leftOut: [LeftOutEdit] { table.leftOut }

        func commit() throws(NetfilterError) {
            commits.add()
            try table.commit()
        }
    }

    var lockPath: String { tables.lockPath }
    func withLockIfFree<Result>(_ body: () -> Result) throws(NetfilterError) -> Result? { try tables.withLockIfFree(body) }
    func snapshot(_ id: TableID) throws(NetfilterError) -> TableSnapshot? { try tables.snapshot(id) }
    func size(_ id: TableID) throws(NetfilterError) -> TableSize? { try tables.size(id) }
    func missingExtensions(for chains: [Chain], _ family: Family) throws(NetfilterError) -> [String] {
        try tables.missingExtensions(for: chains, family)
    }
    func prepare(_ id: TableID, _ edits: [TableEdit]) throws(NetfilterError) -> Prepared {
        Prepared(table: try tables.prepare(id, edits), commits: commits)
    }
    func sideBySide<First: Sendable, Second: Sendable>(
        _ first: () -> First, _ second: @Sendable () -> Second
    ) -> (First, Second) { tables.sideBySide(first, second) }
}

/// FTP, web and DNS in both families, with translations: something in each of the four tables.
let everyday = """
    ftp:
      - name: ftp
        mark: 21
        addresses: [203.0.113.10, "2001:db8::10"]
        passive-ports: 10000-20000
        active:
          real-servers: [10.11.12.0/24, "2001:db8:11::/64"]
    services:
      - name: web
        mark: 80
        addresses: [203.0.113.20, "2001:db8::20", 203.0.113.32/28]
        tcp: [80, 443]
        udp: [443]
      - name: dns
        mark: 0x3500/0xff00
        addresses: [203.0.113.53, "2001:db8::53"]
        udp: [53]
        tcp: [53]
        in-interface: eth+
    masquerade:
      - name: updates
        sources: [10.11.12.0/24, "2001:db8:11::/64"]
        destinations: ["!10.0.0.0/8", "!192.168.0.0/16", "!2001:db8:11::/64"]
        out-interface: eth0

    """

/// Rules of somebody else's around ours, with counters, for `iptables-legacy-restore -c`. The addresses fit both families.
let neighbours = """
    *mangle
    :PREROUTING ACCEPT [0:0]
    :INPUT ACCEPT [0:0]
    :FORWARD DROP [0:0]
    :OUTPUT ACCEPT [0:0]
    :POSTROUTING ACCEPT [0:0]
    :FWMARK - [0:0]
    :theirs - [0:0]
    [11:1100] -A PREROUTING -p tcp -m tcp --dport 8080 -j MARK --set-xmark 0x1f90/0xffffffff
    [12:1200] -A PREROUTING -p udp -m udp --dport 53 -m comment --comment fwmarkd -j theirs
    [13:1300] -A PREROUTING -i eth9 -j theirs
    [14:1400] -A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
    [15:1500] -A theirs -m mark --mark 0x15 -j RETURN
    [16:1600] -A theirs -m mark --mark 0x15 -j RETURN
    [17:1700] -A FWMARK -j ACCEPT
    COMMIT
    *nat
    :PREROUTING ACCEPT [0:0]
    :INPUT ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    :POSTROUTING ACCEPT [0:0]
    [21:2100] -A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80
    [22:2200] -A POSTROUTING -o eth7 -j MASQUERADE
    [23:2300] -A POSTROUTING -m mark --mark 0x7 -j ACCEPT
    COMMIT
    *filter
    :INPUT ACCEPT [0:0]
    :FORWARD DROP [0:0]
    :OUTPUT ACCEPT [0:0]
    [31:3100] -A FORWARD -m mark --mark 0x15 -j ACCEPT
    COMMIT

    """
