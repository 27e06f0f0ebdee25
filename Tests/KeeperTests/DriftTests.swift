// SPDX-License-Identifier: GPL-2.0-or-later
import API
import FakeKernel
import Glibc
import Netfilter
import Rules
import Testing

@testable import Keeper

@Suite("Drift is found, reported and repaired")
struct DriftTests {
    @Test("A hint leads to the repair when the writer is quiet, and what was found is in the events and in the metrics")
    func hint() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.damage()
        await bench.keeper.hint(.lock)
        await bench.run(for: .milliseconds(24))
        #expect(bench.marks == [], "not yet quiet for 25 ms")
        await bench.run(for: .milliseconds(2))
        #expect(bench.marks == [80])
        #expect(bench.events == [.started, .applied, .drift, .repaired])
        let drift = try #require(bench.event(.drift))
        #expect(drift.changeCount == 1)
        #expect(drift.lines.first?.hasPrefix("+ ") == true && drift.lines.first?.contains("203.0.113.20") == true)
        #expect(drift.writer == nil && drift.message.contains("fwmarkd(8)"), "how to learn who it was")
        #expect(bench.metrics.drift == [.add: 1] && bench.metrics.repairs == 1)
        #expect(bench.status.state == .inSync)
    }

    @Test("Where the kernel's audit log names the writer, the event names the program and its process, without control characters")
    func writer() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        await bench.keeper.audit(isHeard: true)
        bench.damage()
        await bench.hint(.audit, writer: Event.Writer(program: "ipt\u{1b}[2Jables", pid: 812))
        let drift = try #require(bench.event(.drift))
        #expect(drift.writer?.pid == 812 && drift.message.contains("process 812") && !drift.message.contains("\u{1b}"))
        bench.damage()
        await bench.hint()
        #expect(bench.event(.drift)?.writer == nil, "not the one before")
    }

    @Test("A change without a hint is found by the full comparison, even one of the same size")
    func withoutHint() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.kernel.with { $0.tables[mangle]?.change(.mark) { $0 = [standing("o")] } }
        await bench.run(for: .milliseconds(1100))
        #expect(bench.marks == [80])
        #expect(bench.status.lastReconcile?.trigger == .check)
    }

    @Test("Every comparison that finds the rules right is recorded")
    func verified() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        let first = try #require(bench.status.lastVerified)
        await bench.run(for: .seconds(2))
        #expect(try #require(bench.status.lastVerified) > first)
        bench.damage()
        bench.kernel.with { $0.lockIsTaken = .max }
        await bench.run(for: .seconds(2))
        let failed = bench.status.lastVerified
        await bench.run(for: .seconds(2))
        #expect(bench.status.lastVerified == failed && bench.status.state == .failed, "wrong rules are not verified")
    }

    @Test("Other programs' rules come and go without being taken for drift")
    func foreign() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        let commits = bench.kernel.commits
        for rules in ["xyz", "", "q"] {
            bench.kernel.with { state in
                state.tables[mangle]?.change(chainName("PREROUTING")) { $0 = $0.filter(\.isOurJump) + rules.map { standing($0) } }
            }
            await bench.run(for: .seconds(3))
            await bench.hint()
        }
        #expect(bench.kernel.commits == commits)
        #expect(bench.events == [.started, .applied])
    }

    @Test("on-drift: report reports once and changes nothing; a request repairs it")
    func report() async throws {
        let bench = try Bench(web(80, daemon: "on-drift: report"))
        try await bench.boot()
        bench.damage()
        await bench.run(for: .seconds(200))
        #expect(bench.marks == [] && bench.status.state == .drifted)
        #expect(bench.events == [.started, .applied, .drift])
        let result = try await bench.keeper.reconcile().get()
        #expect(result.changeCount == 1 && result.changes.map(\.kind) == [.add])
        #expect(bench.marks == [80] && bench.status.state == .inSync)
    }

    @Test("on-drift: report never writes after a comparison that failed, nor after a refused reload")
    func reportAfterFailure() async throws {
        let bench = try Bench(web(80, daemon: "on-drift: report"))
        try await bench.boot()
        let commits = bench.kernel.commits
        bench.damage()
        bench.kernel.with { $0.snapshotFaults = [NetfilterError(errno: ENOMEM, "reading")] }
        await bench.run(for: .seconds(1.5))
        #expect(bench.status.state == .failed)
        await bench.run(for: .seconds(200))
        #expect(bench.status.state == .drifted && bench.kernel.commits == commits)
        try bench.write("nonsense: 1")
        _ = await bench.keeper.reload()
        await bench.run(for: .seconds(200))
        #expect(bench.status.state == .drifted && bench.kernel.commits == commits)
    }

    @Test("A program that undoes every repair is named in a warning; the repairs go on at once, and it is forgiven when it stops")
    func undone() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        let before = bench.kernel.commits.count
        for _ in 0..<100 {
            bench.damage()
            await bench.keeper.hint(.lock)
            await bench.run(for: .milliseconds(30))
            #expect(bench.marks == [80])
        }
        #expect(bench.kernel.commits.count - before == 100)
        #expect(bench.events.count { $0 == .contended } == 1)
        #expect(bench.metrics.isContended && bench.metrics.undoneRepairs == 99)
        #expect(bench.status.warnings.contains { $0.contains("undone") })
        #expect(bench.event(.contended)?.lines.first?.contains("203.0.113.20") == true)
        await bench.run(for: .seconds(12))
        #expect(bench.events.last == .calm && !bench.metrics.isContended && bench.status.warnings == [])
    }

    @Test("A comparison that cannot be made is failed, and well when the cause passes")
    func failingLook() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.kernel.with { $0.snapshotFaults = [NetfilterError(errno: ENOMEM, "reading")] }
        await bench.hint()
        #expect(bench.status.state == .failed && bench.status.reason?.contains("memory") == true)
        await bench.run(for: .seconds(3))
        #expect(bench.status.state == .inSync && bench.status.reason == nil && bench.status.nextAttempt == nil)
    }

    @Test("The state says since when it is so")
    func since() async throws {
        let bench = try Bench(web(80, daemon: "on-drift: report"))
        try await bench.boot()
        let right = bench.status.since
        await bench.run(for: .seconds(3))
        #expect(bench.status.since == right)
        bench.damage()
        await bench.run(for: .seconds(2))
        let wrong = bench.status.since
        #expect(wrong > right)
        await bench.run(for: .seconds(5))
        #expect(bench.status.since == wrong)
    }

    @Test("Hostile names reach the log and the messages without control characters, and cannot begin a line of their own")
    func hostileNames() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        let name = ChainName(bytes: Array("fwmarkd-\u{1b}[2J\n<0>x".utf8))
        bench.kernel.with { state in state.tables[mangle]?.change(name) { $0 = [standing("o")] } }
        await bench.hint()
        #expect(bench.events.contains(.drift))
        for line in bench.log.lines {
            #expect(line.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control }, "\(line)")
            #expect(!line.split(separator: "\n").contains { $0.hasPrefix("<0>") })
        }
    }
}

@Suite("Events")
struct EventTests {
    @Test("The last thousand are kept, in four million bytes at most")
    func ring() async throws {
        let board = StatusBoard(configurationPath: "/none", pid: 1)
        for number in 1...1500 { _ = board.add(.drift, "\(number)") }
        #expect(board.events.count == 1000 && board.events.first?.event.message == "501" && board.events.last?.event.id == 1500)
        let long = String(repeating: "x", count: 1_000_000)
        for _ in 1...300 { _ = board.add(.drift, long, lines: Array(repeating: long, count: 30), changeCount: 30) }
        #expect(board.events.reduce(0) { $0 + $1.line.count } <= 4 << 20)
        let event = try #require(board.events.last?.event)
        #expect(event.lines.count == 20 && event.lines.allSatisfy { $0.count == 1001 } && event.message.count == 1001)
    }

    @Test("A follower gets what was before and what comes, each once")
    func follow() async throws {
        let board = StatusBoard(configurationPath: "/none", pid: 1)
        _ = board.add(.started, "one")
        let follower = try #require(board.follow(user: 0))
        async let messages = all(follower)
        _ = board.add(.stopping, "two")
        board.endFollowing()
        #expect(await messages == ["one", "two"])
    }

    private func all(_ follower: EventFollower) async -> [String] {
        var messages: [String] = []
        while case .events(let events)? = await follower.next() { messages += events.map(\.event.message) }
        return messages
    }

    @Test("A follower that reads too slowly is cut off with a last line that says so, and costs nothing meanwhile")
    func slow() async throws {
        let board = StatusBoard(configurationPath: "/none", pid: 1)
        let follower = try #require(board.follow(user: 0))
        for number in 1...1500 { _ = board.add(.drift, "\(number)") }
        guard case .cutOff(let last)? = await follower.next() else {
            Issue.record("not cut off")
            return
        }
        #expect(last.event.kind == .missed && last.event.message.contains("500 events"))
        #expect(board.contents.metrics.droppedFollowers == 1)
        let late = try #require(board.follow(user: 0))
        guard case .events(let events)? = await late.next() else {
            Issue.record("nothing")
            return
        }
        #expect(events.first?.event.id == 501, "who comes later has missed nothing")
    }

    @Test("64 followers in all and 8 of a user; whoever goes makes room")
    func limits() throws {
        let board = StatusBoard(configurationPath: "/none", pid: 1)
        var followers = (0..<8).compactMap { _ in board.follow(user: 7) }
        #expect(followers.count == 8 && board.follow(user: 7) == nil)
        followers += (0..<56).compactMap { number in board.follow(user: 100 + UInt32(number) / 8) }
        #expect(followers.count == 64 && board.follow(user: 500) == nil && board.follow(user: nil) == nil)
        followers.removeFirst()
        #expect(board.follow(user: 7) != nil)
    }
}
