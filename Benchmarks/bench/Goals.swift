// SPDX-License-Identifier: GPL-2.0-or-later

/// The rows that have a limit, each with what it was measured against in the same run.
struct Goals {
    let size: Int
    let rules: [RuleRows.Result]
    let packets: [PacketRows.Result]
    /// Those of `size` services.
    let ofGoal: (rules: RuleRows.Result, packets: PacketRows.Result)
    let daemons: (example: DaemonRows.Result, many: DaemonRows.Result, most: DaemonRows.Result?)

    private var table = TextTable("what", "measured", "against", "", "ratio", "at most", "")

    init(
        size: Int, rules: [RuleRows.Result], packets: [PacketRows.Result], ofGoal: (RuleRows.Result, PacketRows.Result),
        daemons: (DaemonRows.Result, DaemonRows.Result, DaemonRows.Result?)
    ) {
        self.size = size
        self.rules = rules
        self.packets = packets
        self.ofGoal = ofGoal
        self.daemons = daemons
    }

    mutating func print() {
        Swift.print("The goals, with \(size) services where nothing else is said\n")
        addRules()
        addPackets()
        addDaemon()
        table.print()
    }

    private mutating func addRules() {
        let restore = "iptables-legacy-restore"
        let goal = ofGoal.rules
        // With few services the start of a program is most of what it takes.
        let isMany = size >= 10_000
        add("cold, fwmarkctl apply", goal.apply, restore, goal.restore, atMost: isMany ? 0.6 : nil, aim: isMany ? 0.45 : nil)
        add("cold, fwmarkd --once", goal.once, restore, goal.restore, atMost: isMany ? 0.6 : nil, aim: isMany ? 0.45 : nil)
        for other in rules where other.count != size {
            add("cold, \(other.count) services", other.apply, restore, other.restore, atMost: other.count > size ? 0.6 : nil)
        }
        add(
            "nothing to do, in the daemon", goal["nothing"], "bare GET_ENTRIES", goal["bare-read"], atMost: isMany ? 1.5 : nil,
            aim: isMany ? 1.2 : nil)
        let change = goal["change-load"] + goal["change-plan"] + goal["change-kernel"]
        add(
            "one service changed, in the daemon", change, restore, goal.restore, atMost: isMany ? 0.4 : nil, aim: isMany ? 0.3 : nil
        )
    }

    private mutating func addPackets() {
        let limits = [100: 0.7, 1_000: 0.8, 10_000: 1, 100_000: 1.8]
        for result in packets {
            for (traffic, row) in result.rows {
                let limit = traffic == .service ? limits[result.count] : result.count == size ? 0.7 : nil
                add("packet \(traffic.rawValue) of \(result.count)", row.ours, "nft map", row.nft, "ns", atMost: limit)
            }
        }
        let row = ofGoal.packets[.service]
        add("packet to a random service", row.ours, "plain list", row.plain, "ns", atMost: size >= 10_000 ? 0.01 : nil)
    }

    private mutating func addDaemon() {
        let (example, many, most) = daemons
        add("a deleted rule is back, the example", example.back, "ms", atMost: 60, aim: 40)
        add("a deleted rule is back", many.back, "ms", atMost: 60, aim: 40)
        add("a rule altered without the lock is right, the example", example.right, "ms", atMost: 1100)
        add("a rule altered without the lock is right", many.right, "ms", atMost: 2100)
        add("start to READY, the example", example.start, "ms", atMost: nil, aim: 12)
        add("iptables-legacy-restore of its three rules", example.restore, "ms", atMost: nil)
        add("resident memory, the example", example.memory * (1.0 / 1024), "MiB", atMost: 24)
        add("resident memory", many.memory * (1.0 / 1024), "MiB", atMost: 64)
        if let most { add("resident memory, 100,000 services", most.memory * (1.0 / 1024), "MiB", atMost: 300) }
    }

    /// Adds a row with a peer.
    private mutating func add(
        _ what: String, _ ours: Samples, _ peer: String, _ theirs: Samples, _ unit: String = "ms", atMost limit: Double?,
        aim: Double? = nil
    ) {
        let ratio = ours.median / theirs.median
        table.add(
            [what, ours.text(unit), peer, theirs.text(unit), significant(ratio)] + verdict(ratio, "×", limit, aim))
    }

    /// Adds a row without a peer.
    private mutating func add(_ what: String, _ ours: Samples, _ unit: String, atMost limit: Double?, aim: Double? = nil) {
        table.add([what, ours.text(unit), "—", "", ""] + verdict(ours.median, unit, limit, aim))
    }

    private func verdict(_ value: Double, _ unit: String, _ limit: Double?, _ aim: Double?) -> [String] {
        let asked = [limit.map { "\(significant($0)) \(unit)" }, aim.map { "aim \(significant($0)) \(unit)" }].compactMap { $0 }
        let isIn = limit.map { value <= $0 } ?? true
        let reached = !isIn ? "NOT REACHED" : aim.map { value <= $0 } ?? true ? "reached" : "reached, not the aim"
        return [asked.joined(separator: ", "), asked.isEmpty ? "" : reached]
    }
}
