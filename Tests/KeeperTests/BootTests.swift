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

@Suite("A boot that never leaves the director bare")
struct BootTests {
    @Test("The file is applied, kept for the next boot, and applied a second time without a commit")
    func applies() async throws {
        let bench = try Bench(web(80))
        #expect(try await bench.boot())
        #expect(bench.marks == [80])
        #expect(bench.status.state == .inSync && !bench.status.configuration.fallback)
        #expect(bench.events == [.started, .applied])
        let mode = try FileManager.default.attributesOfItem(atPath: bench.stateFile.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let commits = bench.kernel.commits
        bench.restart()
        #expect(try await bench.boot())
        #expect(bench.kernel.commits == commits)
    }

    @Test("A bad or a missing file: the last good configuration is applied, the state is degraded, the next good reload heals it")
    func fallsBack() async throws {
        for damage in ["services: [{name: web}]", nil] {
            let bench = try Bench(web(80))
            try await bench.boot()
            bench.restart()
            if let damage {
                try bench.write(damage)
            } else {
                try FileManager.default.removeItem(at: bench.directory.appendingPathComponent("fwmarkd.yaml"))
            }
            bench.damage()
            #expect(try await !bench.boot())
            #expect(bench.marks == [80])
            #expect(bench.status.state == .degraded && bench.status.configuration.fallback)
            #expect(bench.status.configuration.errors.count == (damage == nil ? 1 : 3))
            #expect(bench.status.lastError != nil)
            #expect(bench.events == [.started, .reloadRefused, .fallback, .applied])

            try bench.write(web(81))
            _ = try await bench.keeper.reload().get()
            #expect(bench.marks == [81])
            #expect(bench.status.state == .inSync && bench.status.configuration.errors == [])
        }
    }

    @Test("A bad file and no last good configuration: every error is reported, and nothing is changed")
    func refuses() async throws {
        let bench = try Bench("services:\n  - {name: a, mark: 0}\n  - {mark: 1, addresses: [1.2.3.4/8], tcp: [99999]}\n")
        await #expect(throws: BootFailure.self) { try await bench.boot() }
        do {
            try await bench.boot()
        } catch let failure as BootFailure {
            for error in ["fwmarkd.yaml:2:21: services[0].mark: ", "addresses", ":3:", "1.2.3.4/8", "99999"] {
                #expect(failure.description.contains(error), "\(failure)")
            }
            #expect(failure.description.contains("there is no"))
        }
        #expect(bench.kernel.commits == [])
    }

    @Test(
        "A damaged state file is recognized",
        arguments: ["cut off", "empty", "altered", "another format", "noise"])
    func damagedState(_ kind: String) async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        var bytes = try Data(contentsOf: bench.stateFile)
        switch kind {
        case "cut off": bytes = bytes.prefix(bytes.count / 2)
        case "empty": bytes = Data()
        case "altered": bytes = Data(String(decoding: bytes, as: UTF8.self).replacing("203.0.113.20", with: "203.0.113.21").utf8)
        case "another format":
            bytes = Data(String(decoding: bytes, as: UTF8.self).replacing("\"format\":1", with: "\"format\":9").utf8)
        default: bytes = Data((0..<500).map { UInt8(truncatingIfNeeded: $0 &* 37) })
        }
        try bytes.write(to: bench.stateFile)
        bench.restart()
        try bench.write("nonsense: 1")
        do {
            try await bench.boot()
            Issue.record("the damage was not found")
        } catch let failure as BootFailure {
            #expect(failure.description.contains(kind == "another format" ? "has the format 9" : "is damaged"), "\(failure)")
        }
        // It does no harm where the file is good, and is written anew.
        bench.restart()
        try bench.write(web(80))
        #expect(try await bench.boot())
        bench.restart()
        try bench.write("nonsense: 1")
        #expect(try await !bench.boot())
    }

    @Test("A kernel without a target that is needed, and nothing to fall back to: named, and the daemon does not start")
    func missingTarget() async throws {
        let bench = try Bench(web(80))
        bench.kernel.with { $0.missing[.ipv4] = ["the kernel has no target MARK for ipv4; load the module xt_MARK"] }
        let failure = await #expect(throws: BootFailure.self) { try await bench.boot() }
        #expect(failure?.description.contains("no target MARK") == true)
        #expect(bench.kernel.commits == [])
    }

    @Test("A missing privilege is reported and ends the daemon: no configuration would help")
    func missingRight() async throws {
        let bench = try Bench(web(80))
        bench.kernel.with { $0.snapshotFaults = [NetfilterError(errno: EPERM, "reading")] }
        let failure = await #expect(throws: BootFailure.self) { try await bench.boot() }
        #expect(failure?.description.contains("CAP_NET_ADMIN") == true)
    }

    @Test("A file that the kernel refuses at boot: the last good configuration is applied, and the state is degraded")
    func kernelRefusesAtBoot() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.restart()
        try bench.write(web(81))
        bench.damage()
        bench.kernel.with { $0.faults[mangle] = Array(repeating: .refuse(EINVAL), count: 6) }
        #expect(try await !bench.boot())
        let kept = try FileManager.default.contentsOfDirectory(atPath: bench.directory.path + "/state")
        #expect(kept == ["last-good.json"], "and nothing of the refused one")
        #expect(bench.marks == [80] && bench.status.state == .degraded && bench.status.configuration.fallback)
        #expect(bench.events == [.started, .reloadRefused, .fallback, .applied])
        #expect(bench.status.warnings.contains { $0.contains("the kernel refuses") })
        bench.damage()
        await bench.hint()
        #expect(bench.marks == [80], "it is guarded")
        // The next boot finds the same; the kept configuration is not lost by being used.
        bench.restart()
        bench.kernel.with { $0.faults[mangle] = Array(repeating: .refuse(EINVAL), count: 6) }
        bench.damage()
        #expect(try await !bench.boot())
        #expect(bench.marks == [80])
        _ = try await bench.keeper.reload().get()
        #expect(bench.marks == [81] && bench.status.state == .inSync && bench.status.warnings == [])
    }

    @Test("A state directory that cannot be made is reported, and does not keep the daemon from starting")
    func noState() async throws {
        let bench = try Bench(web(80))
        try Data().write(to: bench.directory.appendingPathComponent("state"))
        #expect(try await bench.boot())
        #expect(bench.marks == [80] && bench.status.state == .inSync)
        #expect(bench.status.warnings.contains { $0.contains("could not be kept for the next boot") })
        #expect(bench.status.lastError != nil)
        try bench.write(web(81))
        let answer = try await bench.keeper.reload().get()
        #expect(answer.warnings.contains { $0.contains("could not be kept for the next boot") }, "reload says so as well")
    }

    @Test("A FIFO in place of the last good configuration does not block")
    func fifoState() async throws {
        let bench = try Bench("nonsense: 1")
        try FileManager.default.createDirectory(at: bench.stateFile.deletingLastPathComponent(), withIntermediateDirectories: true)
        #expect(mkfifo(bench.stateFile.path, 0o600) == 0)
        let failure = await #expect(throws: BootFailure.self) { try await bench.boot() }
        #expect(failure?.description.contains("FIFO") == true)
        bench.restart()
        try bench.write(web(80))
        #expect(try await bench.boot())
        bench.restart()
        try bench.write("nonsense: 1")
        #expect(try await !bench.boot(), "it was replaced")
    }

    @Test("Before the first reconcile is done requests wait, and no drift is reported")
    func requestsDuringBoot() async throws {
        let bench = try Bench(web(80))
        #expect(bench.status.state == .starting)
        #expect(await bench.keeper.work() == nil, "nothing acts before")
        let keeper = bench.keeper
        await keeper.hint(.lock)
        async let reload = keeper.reload()
        async let reconcile = keeper.reconcile()
        _ = try await keeper.boot()
        _ = (try await reload.get(), try await reconcile.get())
        #expect(bench.events.prefix(2) == [.started, .applied] && !bench.events.contains(.drift))
    }

    @Test("The lock is taken at boot: failed, tried again with pauses, and well when it is free")
    func lockTaken() async throws {
        let bench = try Bench(web(80))
        bench.kernel.with { $0.lockIsTaken = 100_000_000 }
        #expect(try await !bench.boot())
        #expect(bench.status.state == .failed)
        #expect(bench.status.lastError?.message.contains("xtables lock") == true)
        await bench.run(for: .seconds(30))
        #expect(bench.status.state == .failed && bench.marks == [])
        #expect(bench.events.count { $0 == .failed } == 1, "one event for one cause")
        #expect(bench.status.nextAttempt != nil && bench.status.reason?.contains("xtables lock") == true)
        bench.kernel.with { $0.lockIsTaken = 0 }
        await bench.run(for: .seconds(2))
        #expect(bench.status.state == .inSync && bench.marks == [80])
        #expect(bench.metrics.lockWaits.counts.reduce(0, +) == 1)
    }

    @Test("How long the lock was waited for is measured")
    func lockWait() async throws {
        let bench = try Bench(web(80))
        bench.kernel.with { $0.lockIsTaken = 100 }
        #expect(try await bench.boot())
        #expect(bench.metrics.lockWaits.sum > 0.19 && bench.metrics.lockWaits.sum < 0.21, "100 pauses of 2 ms")
    }
}
