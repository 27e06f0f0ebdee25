// SPDX-License-Identifier: GPL-2.0-or-later
/// The rows of DESIGN.md section 9 with what they ask for.
struct Goals {
    let size: Int
    let rules: RuleRows.Result
    let packets: PacketRows.Result
    let daemon: DaemonRows.Result

    func print() {
        Swift.print("The goals, with \(size) services\n")
        var table = TextTable("what", "measured", "against", "", "ratio", "at most", "")
        func add(
            _ what: String, _ ours: Samples, _ peer: String, _ theirs: Samples, _ unit: String = "ms", atMost limit: Double,
            aim: Double? = nil
        ) {
            let ratio = ours.median / theirs.median
            let asked = significant(limit) + (aim.map { ", aim \(significant($0))" } ?? "")
            table.add([
                what, ours.text(unit), peer, theirs.text(unit), significant(ratio), asked,
                ratio <= aim ?? limit ? "reached" : ratio <= limit ? "reached, not the aim" : "NOT REACHED",
            ])
        }
        func add(_ what: String, _ ours: Samples, _ unit: String, atMost limit: Double, aim: Double? = nil) {
            let asked = "\(significant(limit)) \(unit)" + (aim.map { ", aim \(significant($0))" } ?? "")
            table.add([
                what, ours.text(unit), "—", "", "", asked,
                ours.median <= aim ?? limit ? "reached" : ours.median <= limit ? "reached, not the aim" : "NOT REACHED",
            ])
        }
        add("cold: file to verified kernel", rules.apply, "iptables-legacy-restore", rules.restore, atMost: 1, aim: 0.5)
        add("nothing to do, in the daemon", rules["nothing"], "bare GET_ENTRIES", rules["bare-read"], atMost: 2, aim: 1.3)
        add(
            "one service changed, in the daemon", rules["change-file"] + rules["change-kernel"], "iptables-legacy-restore",
            rules.restore, atMost: 1, aim: 0.6)
        add("added cost of a packet", packets.ours, "nft map", packets.nft, "ns", atMost: 0.8)
        add("the same", packets.ours, "plain list", packets.plain, "ns", atMost: 0.01)
        add("a deleted rule is back", daemon.back, "ms", atMost: 50, aim: 10)
        add("start to READY, one service", daemon.start, "ms", atMost: 20)
        table.add(["iptables-legacy-restore of the three", daemon.restore.text, "", "", "", "—", ""])
        add("resident memory, one service", daemon.memory * (1.0 / 1024), "MiB", atMost: 24)
        table.print()
    }
}
