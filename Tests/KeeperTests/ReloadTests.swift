// SPDX-License-Identifier: GPL-2.0-or-later
import API
import FakeKernel
import Foundation
import NamespaceSupport
import Netfilter
import Rules
import Systemd
import Testing

@testable import Keeper

@Suite("Reload and stop")
struct ReloadTests {
    @Test("A bad file changes nothing and is reported whole; the old rules go on being kept")
    func refused() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        let commits = bench.kernel.commits
        try bench.write("services:\n  - {name: web, mark: x, addresses: [], tcp: [80]}\nbad: 1\n")
        let result = await bench.keeper.reload()
        guard case .failure(let problem) = result else {
            Issue.record("the file was accepted")
            return
        }
        #expect(problem.status == 422 && problem.errors?.map(\.line) == [2, 2, 3])
        #expect(bench.kernel.commits == commits && bench.marks == [80])
        #expect(bench.status.configuration.errors.count == 3 && bench.status.state == .inSync)
        #expect(!bench.metrics.isLastReloadGood)
        bench.damage()
        await bench.hint()
        #expect(bench.marks == [80])
    }

    @Test("A kernel that refuses the new rules: 422 with its reason, the old ones stay and are guarded")
    func kernelRefuses() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.kernel.with { $0.missing[.ipv4] = ["the kernel has no match mac"] }
        try bench.write(web(81))
        guard case .failure(let problem) = await bench.keeper.reload() else {
            Issue.record("it succeeded")
            return
        }
        #expect(problem.status == 422 && problem.detail.contains("no match mac") && problem.detail.contains("stays in force"))
        #expect(bench.marks == [80] && bench.status.state == .inSync && bench.events.last == .reloadRefused)
        #expect(bench.status.warnings.contains { $0.contains("no match mac") })
        bench.kernel.with { $0.missing = [:] }
        bench.damage()
        await bench.hint()
        #expect(bench.marks == [80], "guarded as before, and not the refused one")
        await bench.run(for: .seconds(200))
        #expect(bench.marks == [80], "what was refused is not tried again by itself")
        _ = try await bench.keeper.reload().get()
        #expect(bench.marks == [81] && bench.status.warnings == [])
    }

    @Test("New rules that the kernel has no memory for now: the old ones are kept, and the new ones follow by themselves")
    func putOff() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.kernel.with { $0.faults[mangle] = Array(repeating: .refuse(ENOMEM), count: 6) }
        try bench.write(web(81))
        guard case .failure(let problem) = await bench.keeper.reload() else {
            Issue.record("it succeeded")
            return
        }
        #expect(problem.status == 503 && problem.detail.contains("out of memory"))
        #expect(bench.marks == [80] && bench.status.state == .inSync && bench.status.nextAttempt != nil)
        await bench.run(for: .seconds(3))
        #expect(bench.marks == [81] && bench.status.state == .inSync && bench.status.nextAttempt == nil)
    }

    @Test("Two thousand SIGHUPs and fifty requests that come together are one reload each kind")
    func coalesced() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        for _ in 0..<2000 { await bench.keeper.hangUp() }
        let before = bench.metrics.reconciles
        await bench.run(for: .milliseconds(100))
        func reloads(_ counts: [Metrics.Kind: UInt64]) -> UInt64 {
            counts.filter { $0.key.trigger == .reload }.values.reduce(0, +)
        }
        #expect(reloads(bench.metrics.reconciles) - reloads(before) == 1)
        let keeper = bench.keeper
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 { group.addTask { (try? await keeper.reload().get()) != nil } }
            for await isGood in group { #expect(isGood) }
        }
        #expect(reloads(bench.metrics.reconciles) - reloads(before) <= 51)
        #expect(bench.metrics.reconciles.keys.allSatisfy { $0.trigger != .retry })
    }

    @Test("The trigger of a reconcile and its duration are reported as they were")
    func told() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        #expect(bench.status.lastReconcile?.trigger == .boot)
        bench.kernel.with { $0.lockIsTaken = 50 }
        _ = try await bench.keeper.reload().get()
        #expect(bench.status.lastReconcile?.trigger == .reload)
        #expect(bench.status.lastReconcile?.milliseconds == 100, "50 pauses of 2 ms")
        _ = try await bench.keeper.reconcile().get()
        #expect(bench.status.lastReconcile?.trigger == .request && bench.status.lastReconcile?.milliseconds == 0)
        bench.damage()
        await bench.hint()
        #expect(bench.status.lastReconcile?.trigger == .lock)
        #expect(bench.metrics.durations.sum >= 0.1)
    }

    @Test("on-stop: the rules stay or go", arguments: [("on-stop: keep", [UInt32(80)]), ("on-stop: remove", [UInt32]())])
    func stop(_ setting: String, _ expected: [UInt32]) async throws {
        let bench = try Bench(web(80, daemon: setting))
        try await bench.boot()
        await bench.keeper.stop()
        #expect(bench.marks == expected)
        #expect(picture(bench.kernel.tables[mangle]).contains(">") == !expected.isEmpty)
        #expect(picture(bench.kernel.tables[mangle]).contains("x"), "what is not ours stays")
    }

    @Test("Nothing that is asked for puts rules back once stopping has begun")
    func stopWins() async throws {
        let bench = try Bench(web(80, daemon: "on-stop: remove"))
        try await bench.boot()
        let keeper = bench.keeper
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { _ = await keeper.reload() } }
            group.addTask { await keeper.stop() }
            for _ in 0..<20 { group.addTask { _ = await keeper.reconcile() } }
        }
        #expect(bench.marks == [])
        guard case .failure(let problem) = await keeper.reload() else {
            Issue.record("a stopped daemon reloads")
            return
        }
        #expect(problem == .stopping)
        #expect(await keeper.work() == nil && bench.marks == [])
    }

    @Test("Stopping does not wait for the lock, at the start as well")
    func stopWhileWaiting() async throws {
        let bench = try Bench(web(80))
        bench.kernel.with { $0.lockIsTaken = .max }
        bench.keeper.beginStopping()
        #expect(try await !bench.boot())
        await bench.keeper.stop()
        #expect(bench.clock.now.offset < .milliseconds(10))
        #expect(!bench.events.contains(.failed), "it was not the lock")
    }

    @Test("The service manager hears of progress four times in its interval, also while the lock is waited for")
    func watchdog() async throws {
        let path = "/tmp/fwmarkd-notify-\(UUID().uuidString)"
        let manager = try UnixSocket.datagrams(at: path)
        let notifier = ServiceNotifier(path: path, watchdogInterval: .seconds(4))
        let bench = try Bench(web(80, daemon: "lock-timeout: 60s"), notifier: notifier)
        func watchdogs() -> Int {
            var count = 0
            while let bytes = manager.receive(seconds: 0), !bytes.isEmpty {
                if String(decoding: bytes, as: UTF8.self).contains("WATCHDOG=1") { count += 1 }
            }
            return count
        }
        try await bench.boot()
        _ = watchdogs()
        // The queue of the socket is short.
        var count = 0
        for _ in 0..<20 {
            await bench.run(for: .seconds(1))
            count += watchdogs()
        }
        #expect((19...22).contains(count), "\(count)")
        bench.kernel.with { $0.lockIsTaken = 2500 }
        _ = try await bench.keeper.reconcile().get()
        #expect((4...7).contains(watchdogs()), "5 s of waiting")
    }
}
