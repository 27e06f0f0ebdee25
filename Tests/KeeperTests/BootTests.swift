import API
import FakeKernel
import Foundation
import Netfilter
import Rules
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
            #expect(bench.status.configuration.faults.count == (damage == nil ? 1 : 3))
            #expect(bench.status.lastError != nil)
            #expect(bench.events == [.reloadRefused, .fallback, .started, .applied])

            try bench.write(web(81))
            _ = try await bench.keeper.reload().get()
            #expect(bench.marks == [81])
            #expect(bench.status.state == .inSync && bench.status.configuration.faults == [])
        }
    }

    @Test("A bad file and no last good configuration: every fault is told, and nothing is changed")
    func refuses() async throws {
        let bench = try Bench("services:\n  - {name: a, mark: 0}\n  - {mark: 1, addresses: [1.2.3.4/8], tcp: [99999]}\n")
        await #expect(throws: BootFailure.self) { try await bench.boot() }
        do {
            try await bench.boot()
        } catch let failure as BootFailure {
            for fault in ["fwmarkd.yaml:2:21: services[0].mark: mark 0", "addresses is missing", ":3:", "bits set behind", "99999"]
            {
                #expect(failure.description.contains(fault), "\(failure)")
            }
            #expect(failure.description.contains("there is no"))
        }
        #expect(bench.kernel.commits == [])
    }

    @Test(
        "A damaged state file is told from a good one",
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

    @Test("A kernel without a target that is needed: named, and the daemon does not start")
    func missingTarget() async throws {
        let bench = try Bench(web(80))
        bench.kernel.with { $0.missing[.ipv4] = ["the kernel has no target MARK for ipv4; load the module xt_MARK"] }
        do {
            try await bench.boot()
            Issue.record("it started")
        } catch let failure as BootFailure {
            #expect(failure.description.contains("no target MARK"))
        }
        #expect(bench.kernel.commits == [])
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
        bench.kernel.with { $0.lockIsTaken = 0 }
        await bench.run(for: .seconds(70))
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
        #expect(problem.status == 422 && problem.faults?.map(\.line) == [2, 2, 3])
        #expect(bench.kernel.commits == commits && bench.marks == [80])
        #expect(bench.status.configuration.faults.count == 3 && bench.status.state == .inSync)
        #expect(!bench.metrics.isLastReloadGood)
        bench.damage()
        await bench.keeper.tablesMayHaveChanged()
        #expect(bench.marks == [80])
    }

    @Test("A kernel that refuses the new rules: an error, the old ones stay, and it is tried again")
    func kernelRefuses() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.kernel.with { $0.faults[mangle] = Array(repeating: .refuse(ENOMEM), count: 6) }
        try bench.write(web(81))
        let result = await bench.keeper.reload()
        guard case .failure(let problem) = result else {
            Issue.record("it succeeded")
            return
        }
        #expect(problem.status == 500 && problem.detail.contains("out of memory"))
        #expect(bench.marks == [80] && bench.status.state == .failed)
        await bench.run(for: .seconds(3))
        #expect(bench.marks == [81] && bench.status.state == .inSync)
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
}
