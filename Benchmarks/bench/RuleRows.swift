// SPDX-License-Identifier: GPL-2.0-or-later
import CBench
import Glibc

/// From file to kernel, program against program: each run begins in an empty network namespace of its own, and the peers take turns.
struct RuleRows {
    struct Result {
        let count: Int
        var apply = Samples(), once = Samples(), change = Samples(), restore = Samples(), nftRestore = Samples(), nft = Samples()
        var steps: [String: Samples] = [:]
        subscript(_ step: String) -> Samples { steps[step] ?? Samples() }
    }

    let programs: Programs
    let runs: Int

    func measure(_ count: Int) throws -> Result {
        let workload = Workload(count: count)
        let file = try Scratch.write("rules.yaml", workload.configuration())
        let changed = try Scratch.write("changed.yaml", workload.configuration(changed: true))
        let restore = try Scratch.write("rules.restore", workload.restore())
        let nft = try Scratch.write("rules.nft", workload.nftables())
        var result = Result(count: count)
        for _ in 0..<runs {
            try newNamespace()
            result.apply.add(try Program.run([programs.fwmarkctl, "apply", "--config", file]))
            result.change.add(try Program.run([programs.fwmarkctl, "apply", "--config", changed]))
            try newNamespace()
            result.once.add(
                try Program.run([
                    programs.fwmarkd, "--once", "--config", file, "--state-directory", Scratch.path("state"),
                    "--runtime-directory", Scratch.path("run"),
                ]))
            try newNamespace()
            result.restore.add(try Program.run(["iptables-legacy-restore"], input: restore))
            try newNamespace()
            result.nftRestore.add(try Program.run(["iptables-nft-restore"], input: restore))
            try newNamespace()
            result.nft.add(try Program.run(["nft", "-f", nft]))
        }
        result.steps = try steps(file, changed)
        return result
    }

    /// Within one process, as in a running daemon.
    private func steps(_ file: String, _ changed: String) throws -> [String: Samples] {
        try Program.run([programs.steps, file, changed, "\(runs)"], output: Scratch.path("steps"))
        var steps: [String: Samples] = [:]
        for line in try Scratch.read(Scratch.path("steps")).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let nanoseconds = Double(words[1]) else { throw Failure("bench-steps said \(line)") }
            steps[String(words[0]), default: Samples()].add(nanoseconds / 1e6)
        }
        return steps
    }

    /// The slow ways, on numbers of rules that can be waited for: one command a rule, and python-iptables.
    func measureSlowWays() throws -> (commands: Samples, ofCommands: Samples, python: Samples?, ofPython: Samples, reason: String) {
        let (few, more) = (Workload(count: 100), Workload(count: 333))
        let fewFile = try Scratch.write("few.yaml", few.configuration())
        let moreFile = try Scratch.write("more.yaml", more.configuration())
        var (commands, ofCommands, python, ofPython) = (Samples(), Samples(), Samples(), Samples())
        let script = programs.python.map { [$0, programs.pythonScript, "\(more.count)"] }
        for _ in 0..<min(runs, 9) {
            try newNamespace()
            var time = 0.0
            for command in few.commands() { time += try Program.run(command) }
            commands.add(time)
            try newNamespace()
            ofCommands.add(try Program.run([programs.fwmarkctl, "apply", "--config", fewFile]))
            guard let script else { continue }
            try newNamespace()
            python.add(try Program.run(script))
            try newNamespace()
            ofPython.add(try Program.run([programs.fwmarkctl, "apply", "--config", moreFile]))
        }
        return (commands, ofCommands, script == nil ? nil : python, ofPython, programs.pythonReason)
    }
}

/// A namespace of this thread's own, without any table; the one before goes when its last program ends.
func newNamespace() throws {
    guard bench_new_namespace() == 0 else {
        throw Failure("a network namespace cannot be made: \(String(cString: strerror(errno))) (run it as root)")
    }
}
