import API
import FakeKernel
import Glibc
import Netfilter
import Rules
import Testing

@testable import Keeper

@Suite("Drift is found, told and mended")
struct DriftTests {
    @Test("A hint leads to the repair at once, and what was found stands in the events and in the metrics")
    func hint() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.damage()
        await bench.keeper.tablesMayHaveChanged()
        #expect(bench.marks == [80])
        #expect(bench.events == [.started, .applied, .drift, .repaired])
        let drift = try #require(bench.keeper.board.events.first { $0.kind == .drift })
        #expect(
            drift.changeCount == 1
                && drift.lines.first?.hasPrefix("+ iptables -t mangle -A FWMARKD-MARK -d 203.0.113.20/32") == true)
        #expect(bench.metrics.drift == ["add": 1] && bench.metrics.repairs == 1)
        #expect(bench.status.state == .inSync)
    }

    @Test("Another size of a table is seen at the next look, a change of the same size at the next full comparison")
    func withoutHint() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        await bench.run(for: .seconds(5))
        let reads = bench.kernel.log.count
        await bench.run(for: .seconds(10))
        #expect(bench.kernel.log.count == reads, "a look at the sizes reads no table")
        bench.damage()
        await bench.run(for: .seconds(2))
        #expect(bench.marks == [80])

        bench.kernel.with { $0.tables[mangle]?.change(.mark) { $0 = [standing("o")] } }
        await bench.run(for: .seconds(20))
        #expect(bench.marks == [], "no size has changed")
        await bench.run(for: .seconds(61))
        #expect(bench.marks == [80])
    }

    @Test("Rules of somebody else's come and go without being taken for drift")
    func foreign() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        let commits = bench.kernel.commits
        for rules in ["xyz", "", "q"] {
            bench.kernel.with { state in
                state.tables[mangle]?.change(.prerouting) { $0 = $0.filter(\.isOurJump) + rules.map { standing($0) } }
            }
            await bench.run(for: .seconds(3))
            await bench.keeper.tablesMayHaveChanged()
        }
        #expect(bench.kernel.commits == commits)
        #expect(bench.events == [.started, .applied])
    }

    @Test("on-drift: report tells once and touches nothing; a request mends it")
    func report() async throws {
        let bench = try Bench(web(80, daemon: "on-drift: report"))
        try await bench.boot()
        bench.damage()
        await bench.run(for: .seconds(200))
        #expect(bench.marks == [] && bench.status.state == .drifted)
        #expect(bench.events == [.started, .applied, .drift])
        let result = try await bench.keeper.reconcile().get()
        #expect(result.changeCount == 1 && result.changes.map(\.kind) == ["add"])
        #expect(bench.marks == [80] && bench.status.state == .inSync)
    }

    @Test("Who undoes every repair is met with growing pauses, named, and forgiven when it stops")
    func contention() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        let before = bench.kernel.commits.count
        // Ten minutes in which every repair is undone at once.
        await bench.run(for: .seconds(600)) { bench.damage() }
        let commits = bench.kernel.commits.count - before
        #expect(commits >= 8 && commits <= 20, "\(commits)")
        #expect(bench.events.count { $0 == .contended } == 1)
        #expect(bench.metrics.isContended && bench.status.state == .drifted)
        let contended = try #require(bench.keeper.board.events.first { $0.kind == .contended })
        #expect(contended.lines.first?.contains("203.0.113.20") == true)

        await bench.run(for: .seconds(400))
        #expect(bench.marks == [80] && bench.status.state == .inSync)
        #expect(bench.events.last == .calm && !bench.metrics.isContended)
        bench.damage()
        await bench.keeper.tablesMayHaveChanged()
        #expect(bench.marks == [80], "at once again")
    }

    @Test("Rare drift is never put off")
    func rare() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        for _ in 0..<20 {
            await bench.run(for: .seconds(30))
            bench.damage()
            await bench.keeper.tablesMayHaveChanged()
            #expect(bench.marks == [80])
        }
        #expect(!bench.events.contains(.contended))
    }

    @Test("Kernel errors while looking: failed, and well when they pass")
    func failingLook() async throws {
        let bench = try Bench(web(80))
        try await bench.boot()
        bench.kernel.with { $0.snapshotFaults = [NetfilterError(errno: ENOMEM, "reading")] }
        await bench.keeper.tablesMayHaveChanged()
        #expect(bench.status.state == .failed)
        await bench.run(for: .seconds(3))
        #expect(bench.status.state == .inSync)
    }

    @Test("No more than check-interval passes between two looks")
    func interval() async throws {
        let bench = try Bench(web(80, daemon: "check-interval: 250ms"))
        try await bench.boot()
        for _ in 0..<20 {
            let pause = await bench.keeper.tick()
            #expect(pause <= .milliseconds(250) && pause > .zero)
            bench.clock.advance(by: pause)
        }
    }
}

@Suite("Events")
struct EventTests {
    @Test("The last thousand are kept, and a follower who does not take them holds nobody up")
    func ring() async throws {
        let board = StatusBoard(configurationPath: "/none", pid: 1)
        let (past, following) = board.follow()
        #expect(past == [])
        for number in 1...1500 { _ = board.add(.drift, "\(number)") }
        #expect(board.events.count == 1000 && board.events.first?.message == "501" && board.events.last?.id == 1500)
        board.endFollowing()
        var taken: [UInt64] = []
        for await event in following { taken.append(event.id) }
        #expect(taken == Array(1245...1500), "the newest that fit")
    }

    @Test("A follower gets what was before and what comes, each once")
    func follow() async throws {
        let board = StatusBoard(configurationPath: "/none", pid: 1)
        _ = board.add(.started, "one")
        let (past, following) = board.follow()
        _ = board.add(.stopping, "two")
        board.endFollowing()
        var messages = past.map(\.message)
        for await event in following { messages.append(event.message) }
        #expect(messages == ["one", "two"])
    }
}
