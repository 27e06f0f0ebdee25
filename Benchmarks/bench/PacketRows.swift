// SPDX-License-Identifier: GPL-2.0-or-later
import CBench
import Glibc

/// What a packet to a random one of the addresses costs more than in a director without rules: two namespaces joined by a veth
/// pair, raw frames in, sender and director on one processor, so that nothing is done meanwhile.
struct PacketRows {
    /// What is sent.
    enum Traffic: String, CaseIterable {
        case service = "to a random service"
        case otherPort = "to another port of one"
        case stranger = "to an address that is none"

        var port: UInt16 { self == .otherPort ? 443 : 21 }

        /// Addresses that are no service's lie far behind them.
        var firstAddress: UInt32 { self == .stranger ? 0x0b00_0001 : Workload.firstAddress }
    }

    /// Nanoseconds a packet; `empty` whole, the others without it.
    struct Row {
        var empty = Samples(), ours = Samples(), plain = Samples(), nft = Samples()
    }

    struct Result {
        let count: Int
        var rows: [(traffic: Traffic, row: Row)] = []
        subscript(_ traffic: Traffic) -> Row { rows.first { $0.traffic == traffic }?.row ?? Row() }
    }

    let programs: Programs
    let runs: Int

    func measure(_ count: Int) throws -> Result {
        let workload = Workload(count: count)
        let file = try Scratch.write("marks.yaml", workload.markConfiguration())
        let plain = try Scratch.write("marks.restore", workload.markRestore())
        let nft = try Scratch.write("marks.nft", workload.nftables(withMasquerade: false))
        let link = try Link()
        defer { link.remove() }

        // What costs much is sent less; every run takes a fraction of a second.
        let many: Int64 = 200_000
        let few = Int64(max(2_000, min(200_000, 20_000_000 / (count * 2))))
        var rows = Traffic.allCases.map { (traffic: $0, row: Row()) }
        func send(_ frames: Int64, _ kind: WritableKeyPath<Row, Samples>) throws {
            for index in rows.indices { rows[index].row[keyPath: kind].add(try link.send(frames, rows[index].traffic, to: count)) }
        }
        for _ in 0..<runs {
            try send(many, \.empty)
            try Program.run([programs.fwmarkctl, "apply", "--config", file])
            try send(many, \.ours)
            try expectMarked(many)
            try Program.run([programs.fwmarkctl, "remove"])
            try Program.run(["iptables-legacy-restore"], input: plain)
            try send(few, \.plain)
            try Program.run(["iptables-legacy", "-t", "mangle", "-F"])
            try Program.run(["nft", "-f", nft])
            try send(many, \.nft)
            try Program.run(["nft", "flush", "ruleset"])
        }
        // Each run has an empty director of its own: what slows the machine slows both.
        return Result(
            count: count,
            rows: rows.map { traffic, row in
                let empty = row.empty
                return (traffic, Row(empty: empty, ours: row.ours - empty, plain: row.plain - empty, nft: row.nft - empty))
            })
    }

    /// That every frame met its mark: a benchmark of rules that match nothing would be quick.
    private func expectMarked(_ frames: Int64) throws {
        try Program.run(["iptables-legacy-save", "-c", "-t", "mangle"], output: Scratch.path("counters"))
        var marked: Int64 = 0
        for line in try Scratch.read(Scratch.path("counters")).split(separator: "\n") where line.contains("-j MARK") {
            marked += Int64(line.dropFirst().prefix { $0 != ":" }) ?? 0
        }
        guard marked == frames else { throw Failure("\(marked) of \(frames) frames were marked") }
    }
}

/// A veth pair between a namespace with the sender and the director's, in which the calling thread is left.
private struct Link {
    private let holder: Program
    private let sender: CInt
    private let mac: [UInt8] = [2, 0, 0, 0, 0, 1]

    init() throws {
        try newNamespace()
        // Something must be in the sender's namespace for as long as it is needed.
        holder = try Program(["sleep", "infinity"])
        try newNamespace()
        let director = "/proc/thread-self/ns/net"
        try Program.run([
            "ip", "link", "add", "bench0", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "bench1", "netns",
            "\(holder.pid)",
        ])
        try Program.run(["ip", "address", "add", "198.18.0.1/30", "dev", "bench0"])
        try Program.run(["ip", "link", "set", "bench0", "up"])
        let back = open(director, O_RDONLY | O_CLOEXEC)
        guard back >= 0, bench_enter_namespace("/proc/\(holder.pid)/ns/net") == 0 else {
            throw Failure("the sender's namespace is gone")
        }
        defer { close(back) }
        try Program.run(["ip", "link", "set", "bench1", "up"])
        sender = bench_sender("bench1")
        guard sender >= 0, bench_enter_namespace("/proc/self/fd/\(back)") == 0 else {
            throw Failure("no raw socket: errno \(errno)")
        }
    }

    /// Nanoseconds a packet.
    func send(_ frames: Int64, _ traffic: PacketRows.Traffic, to count: Int) throws -> Double {
        let time = bench_send(sender, mac, traffic.firstAddress, UInt32(count), traffic.port, frames)
        guard time >= 0 else { throw Failure("frames were lost: errno \(errno)") }
        return Double(time) / Double(frames)
    }

    func remove() {
        close(sender)
        holder.end(SIGKILL)
    }
}
