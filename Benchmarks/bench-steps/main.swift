// SPDX-License-Identifier: GPL-2.0-or-later
import CBench
import ConfigurationFile
import Glibc
import Netfilter
import Planner
import Reconciler
import Rules
import SystemCalls

// bench-steps FILE CHANGED RUNS: what a daemon does between file and kernel, step by step, beside the bare system calls on the
// same tables, in a network namespace of its own. Prints lines "step nanoseconds", one for each run.

guard CommandLine.arguments.count == 4, let runs = Int(CommandLine.arguments[3]) else {
    print("usage: bench-steps FILE CHANGED RUNS")
    exit(64)
}
let (file, changedFile) = (CommandLine.arguments[1], CommandLine.arguments[2])
guard bench_new_namespace() == 0 else {
    perror("a network namespace")
    exit(1)
}

nonisolated(nonsending) func timed<Value>(_ step: String, _ body: nonisolated(nonsending) () async throws -> Value) async rethrows
    -> Value
{
    let start = ContinuousClock.now
    let value = try await body()
    print(step, Int((ContinuousClock.now - start) / .nanoseconds(1)))
    return value
}

/// Puts the file where the configuration is, as an editor does.
func copy(_ file: String, over path: String) throws {
    try RegularFile.replace(path, with: RegularFile.read(file, limit: 1 << 30), mode: 0o600)
}

let path = file + ".edited"
let reconciler = Reconciler(KernelTables())
for _ in 0..<runs {
    try copy(file, over: path)
    let loaded = try await timed("load") { try Configuration.load(path: path) }
    let ruleset = await timed("plan") { Planner.plan(for: loaded.configuration).ruleset }
    let outcome = try await timed("apply") { try await reconciler.reconcile(to: ruleset) }
    guard !outcome.changes.isEmpty else { fatalError("the tables were not empty") }

    // In a running daemon: what is wanted is known already.
    let nothing = try await timed("nothing") { try reconciler.difference(to: ruleset) }
    guard nothing.changes.isEmpty else { fatalError("the tables differ") }
    print("bare-read", bench_read_table("nat") + bench_read_table("mangle"))

    // The daemon reads the file that it knows, in which little has changed.
    try copy(changedFile, over: path)
    let reread = try await timed("change-load") { try Configuration.load(path: path, knowing: loaded) }
    let changed = await timed("change-plan") { Planner.plan(for: reread.configuration).ruleset }
    let change = try await timed("change-kernel") { try await reconciler.reconcile(to: changed) }
    guard !change.changes.isEmpty else { fatalError("nothing changed") }
    print("bare-replace", bench_replace_table("nat") + bench_replace_table("mangle"))
    print("bare-replace-mangle", bench_replace_table("mangle"))
    _ = try await reconciler.reconcile(to: Ruleset())
}
