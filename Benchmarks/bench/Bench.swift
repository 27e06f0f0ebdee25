// SPDX-License-Identifier: GPL-2.0-or-later
import CBench
import Glibc

/// bench PROGRAMS [--smoke | --size N]: measures every row of docs/performance.md, with the peers in the same run, and prints tables.
@main
struct Bench {
    static func main() {
        do {
            let arguments = Array(CommandLine.arguments.dropFirst())
            defer { Scratch.remove() }
            if arguments.count == 1 {
                try run(Programs(arguments[0]), sizes: [10, 100, 1_000, 10_000, 100_000], runs: 11, goalSize: 10_000)
            } else if arguments.count == 2, arguments[1] == "--smoke" {
                try run(Programs(arguments[0]), sizes: [100], runs: 3, goalSize: 100)
            } else if arguments.count == 3, arguments[1] == "--size", let size = Int(arguments[2]), size > 0 {
                try run(Programs(arguments[0]), sizes: [size], runs: 11, goalSize: size)
            } else {
                print("usage: bench PROGRAMS [--smoke | --size N]")
                exit(64)
            }
        } catch {
            print("FAILED: \(error)")
            exit(1)
        }
    }

    private static func run(_ programs: Programs, sizes: [Int], runs most: Int, goalSize: Int) throws {
        // Nobody else's lock file, neither for ours nor for the peers.
        setenv("XTABLES_LOCKFILE", Scratch.path("lock"), 1)
        // A run with 100,000 services takes half a minute: fewer of them.
        func runs(_ count: Int) -> Int { count > 10_000 ? 3 : most }
        printMachine()

        var rules: [RuleRows.Result] = []
        for count in sizes { rules.append(try RuleRows(programs: programs, runs: runs(count)).measure(count)) }
        printRules(rules)
        printSteps(rules)
        try printSlowWays(RuleRows(programs: programs, runs: most))

        var packets: [PacketRows.Result] = []
        for count in sizes { packets.append(try PacketRows(programs: programs, runs: runs(count)).measure(count)) }
        printPackets(packets)

        let example = try DaemonRows(programs: programs, runs: most).measure(nil)
        let many = try DaemonRows(programs: programs, runs: min(most, 3)).measure(Workload(count: goalSize))
        let most = sizes.contains(100_000) ? try DaemonRows(programs: programs, runs: 1).measure(Workload(count: 100_000)) : nil
        guard let goalRules = rules.first(where: { $0.count == goalSize }),
            let goalPackets = packets.first(where: { $0.count == goalSize })
        else { return }
        var goals = Goals(
            size: goalSize, rules: rules, packets: packets, ofGoal: (goalRules, goalPackets), daemons: (example, many, most))
        goals.print()
    }

    private static func printMachine() {
        let processor = (try? Scratch.read("/proc/cpuinfo"))?.split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last.map { String($0.drop { $0 == " " }) }
        let kernel = (try? Scratch.read("/proc/sys/kernel/osrelease"))?.split(separator: "\n").first.map { String($0) }
        let load = (try? Scratch.read("/proc/loadavg"))?.split(separator: " ").first.map { String($0) }
        print(
            "\(processor ?? "unknown processor"), \(sysconf(CInt(_SC_NPROCESSORS_ONLN))) processors, Linux \(kernel ?? "?"), load \(load ?? "?")\n"
        )
    }

    private static func printRules(_ results: [RuleRows.Result]) {
        print("From file to kernel, whole programs, milliseconds: median (minimum–maximum)\n")
        var table = TextTable(
            "services", "fwmarkctl apply", "fwmarkd --once", "… one changed", "iptables-legacy-restore", "iptables-nft-restore",
            "nft -f, map", "runs"
        )
        for result in results {
            table.add([
                "\(result.count)", result.apply.text, result.once.text, result.change.text, result.restore.text,
                result.nftRestore.text,
                result.nft.text,
                "\(result.apply.count)",
            ])
        }
        table.print()
    }

    private static func printSteps(_ results: [RuleRows.Result]) {
        print("Within one process, as in the daemon\n")
        var table = TextTable(
            "services", "load", "plan", "apply", "nothing to do", "bare read", "one changed: load", "… plan", "… kernel",
            "bare replace, both",
            "… mangle")
        for result in results {
            let steps = [
                "load", "plan", "apply", "nothing", "bare-read", "change-load", "change-plan", "change-kernel", "bare-replace",
                "bare-replace-mangle",
            ]
            table.add(["\(result.count)"] + steps.map { result[$0].text })
        }
        table.print()
    }

    private static func printSlowWays(_ rows: RuleRows) throws {
        let slow = try rows.measureSlowWays()
        print("The slow ways\n")
        var table = TextTable("rules", "how", "time", "fwmarkctl apply of the same", "ratio")
        table.add([
            "300", "one iptables-legacy a rule", slow.commands.text, slow.ofCommands.text,
            significant(slow.commands.median / slow.ofCommands.median),
        ])
        if let python = slow.python {
            table.add([
                "999", "python-iptables", python.text, slow.ofPython.text, significant(python.median / slow.ofPython.median),
            ])
        } else {
            table.add(["999", "python-iptables", "not measured: \(slow.reason)", "", ""])
        }
        table.print()
    }

    private static func printPackets(_ results: [PacketRows.Result]) {
        print("Added cost of a packet to a random address, nanoseconds; the empty director is taken off\n")
        var table = TextTable(
            "services", "packets", "empty director", "fwmarkd", "nft map", "plain list", "fwmarkd/nft", "fwmarkd/plain")
        for result in results {
            for (traffic, row) in result.rows {
                table.add([
                    "\(result.count)", traffic.rawValue, row.empty.text("ns"), row.ours.text("ns"), row.nft.text("ns"),
                    row.plain.text("ns"), significant(row.ours.median / row.nft.median),
                    significant(row.ours.median / row.plain.median),
                ])
            }
        }
        table.print()
    }
}

/// Where the programs are that are measured.
struct Programs {
    let fwmarkd, fwmarkctl, steps: String
    /// From the repository's root, in which the benchmark runs.
    let pythonScript: String
    /// A Python that has python-iptables; nil with the reason if there is none.
    let python: String?
    let pythonReason: String

    init(_ directory: String) throws {
        fwmarkd = "\(directory)/fwmarkd"
        fwmarkctl = "\(directory)/fwmarkctl"
        let own = CommandLine.arguments[0]
        let ownDirectory = own.lastIndex(of: "/").map { own[..<$0] } ?? "."
        steps = "\(ownDirectory)/bench-steps"
        for program in [fwmarkd, fwmarkctl, steps] {
            guard access(program, X_OK) == 0 else { throw Failure("\(program) is not there; `make bench` builds it") }
        }
        let path = getenv("FWMARKD_BENCH_PYTHON").map { String(cString: $0) } ?? ""
        python = path.isEmpty ? nil : path
        pythonReason = "FWMARKD_BENCH_PYTHON names no Python that has it"
        pythonScript = "Benchmarks/python_iptables.py"
    }
}
