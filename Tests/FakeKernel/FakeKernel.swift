// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
package import Netfilter
import Reconciler
package import Rules
import Synchronization

/// A kernel in memory that fails when it is told to. It treats tables as the real one does: a commit replaces the whole table, is
/// refused when the number of entries has changed since it was prepared, and overwrites silently when it has not.
package final class FakeKernel: RuleStore {
    /// What becomes of one commit.
    package enum Fault: Sendable {
        /// Nothing is applied, and the error number is the answer.
        case refuse(CInt)
        /// Everything is applied, and the error number is the answer all the same.
        case applyThenAnswer(CInt)
        /// Somebody who skips the lock changes the table before the commit.
        case interfereBefore(@Sendable (inout TableSnapshot) -> Void)
        /// Somebody who skips the lock changes the table after the commit and before it is read back.
        case interfereAfter(@Sendable (inout TableSnapshot) -> Void)
    }

    package struct State {
        package var tables: [TableID: TableSnapshot] = [:]
        /// The faults of the next commits of a table, first come first served; a commit without one succeeds.
        package var faults: [TableID: [Fault?]] = [:]
        /// The answers of the next preparations and readings.
        package var prepareFaults: [NetfilterError?] = []
        package var snapshotFaults: [NetfilterError?] = []
        package var missing: [Family: [String]] = [:]
        /// How many times the lock is found taken.
        package var lockIsTaken = 0
        package var isLocked = false
        /// What happened: `read ipv4 nat`, `commit ipv4 mangle`.
        package var log: [String] = []
    }

    private let state: Mutex<State>
    package let lockPath = "/run/fake.lock"

    package init(_ tables: [TableSnapshot] = []) {
        state = Mutex(State(tables: Dictionary(uniqueKeysWithValues: tables.map { ($0.id, $0) })))
    }

    package func with<Value: Sendable>(_ body: (inout State) -> Value) -> Value { state.withLock { body(&$0) } }

    package var tables: [TableID: TableSnapshot] { with(\.tables) }
    package var log: [String] { with(\.log) }
    package var commits: [String] { log.filter { $0.hasPrefix("commit") } }

    package func withLockIfFree<Result>(_ body: () -> Result) throws(NetfilterError) -> Result? {
        let isFree = with { state in
            if state.lockIsTaken > 0 {
                state.lockIsTaken -= 1
                return false
            }
            state.isLocked = true
            return true
        }
        guard isFree else { return nil }
        defer { with { $0.isLocked = false } }
        return body()
    }

    package func snapshot(_ id: TableID) throws(NetfilterError) -> TableSnapshot? {
        let (fault, table) = with { state in
            state.log.append("read \(id)")
            return (state.snapshotFaults.isEmpty ? nil : state.snapshotFaults.removeFirst(), state.tables[id])
        }
        if let fault { throw fault }
        return table
    }

    package func size(_ id: TableID) throws(NetfilterError) -> TableSize? {
        tables[id].map { TableSize(entries: UInt32($0.entryCount), bytes: 0) }
    }

    package func missingExtensions(for chains: [Chain], _ family: Family) throws(NetfilterError) -> [String] {
        chains.allSatisfy(\.rules.isEmpty) ? [] : with { $0.missing[family] ?? [] }
    }

    package func sideBySide<First: Sendable, Second: Sendable>(
        _ first: () -> First, _ second: @Sendable () -> Second
    ) -> (First, Second) { (first(), second()) }

    package func prepare(_ id: TableID, _ edits: [TableEdit]) throws(NetfilterError) -> Prepared {
        let (fault, isLocked) = with { ($0.prepareFaults.isEmpty ? nil : $0.prepareFaults.removeFirst(), $0.isLocked) }
        if let fault { throw fault }
        guard isLocked else { throw NetfilterError(.other, "prepared without the lock") }
        let base = tables[id] ?? .empty(id)
        let leftOut = edits.filter { $0.chain.text.hasPrefix("fwmarkd-stuck") }.map {
            LeftOutEdit($0, NetfilterError(.refused, "\(id): \($0) cannot be made"))
        }
        return Prepared(
            kernel: self, entryCount: base.entryCount,
            table: try base.applying(edits.filter { edit in !leftOut.contains { $0.edit == edit } }), leftOut: leftOut)
    }

    package struct Prepared: PreparedCommit {
        let kernel: FakeKernel
        let entryCount: Int
        let table: TableSnapshot
        package let leftOut: [LeftOutEdit]

        package func commit() throws(NetfilterError) {
            let answer: CInt? = kernel.with { state in
                let id = table.id
                state.log.append("commit \(id)")
                guard state.isLocked else { return 1 }
                let fault = state.faults[id]?.isEmpty == false ? state.faults[id]?.removeFirst() : nil
                var found = state.tables[id] ?? .empty(id)
                switch fault {
                case .refuse(let number): return number
                case .interfereBefore(let change): change(&found)
                default: break
                }
                guard found.entryCount == entryCount else {
                    state.tables[id] = found
                    return EAGAIN
                }
                found = table
                if case .interfereAfter(let change) = fault { change(&found) }
                state.tables[id] = found
                if case .applyThenAnswer(let number) = fault { return number }
                return nil
            }
            if let answer { throw NetfilterError(errno: answer, "committing \(table.id)") }
        }
    }
}

extension TableSnapshot {
    /// The table as the kernel makes it: built-in chains without rules.
    package static func empty(_ id: TableID) -> TableSnapshot {
        let policy = ChainSnapshot.Policy(verdict: .accept)
        return TableSnapshot(id, chains: id.table.hooks.map { ChainSnapshot(name: $0.chain, policy: policy, rules: []) })
    }

    /// As the kernel counts: rules, policies, heads and ends of chains, the end of the table.
    package var entryCount: Int { chains.reduce(1) { $0 + $1.rules.count + ($1.isBuiltIn ? 1 : 2) } }

    /// The table after the edits; refuses what libiptc and the kernel refuse.
    package func applying(_ edits: [TableEdit]) throws(NetfilterError) -> TableSnapshot {
        var rules = Dictionary(uniqueKeysWithValues: chains.map { ($0.name, Array($0.rules)) })
        func refused(_ edit: TableEdit) -> NetfilterError { NetfilterError(.refused, errno: EINVAL, "\(id): \(edit)") }
        for edit in edits {
            switch edit {
            case .createChain(let name):
                guard rules.updateValue([], forKey: name) == nil else { throw refused(edit) }
            case .append(let name, let rule):
                guard rules[name] != nil else { throw refused(edit) }
                rules[name]?.append(rule)
            case .appendAll(let name, let appended):
                guard rules[name] != nil else { throw refused(edit) }
                rules[name]?.append(contentsOf: appended)
            case .insert(let name, let index, let rule):
                guard let count = rules[name]?.count, index <= count else { throw refused(edit) }
                rules[name]?.insert(rule, at: index)
            case .delete(let name, let index):
                guard let count = rules[name]?.count, index < count, name.isOurs else { throw refused(edit) }
                rules[name]?.remove(at: index)
            case .deleteForeign(let name, let index, let content):
                guard let found = rules[name], index < found.count, found[index].content == content, !name.isOurs else {
                    throw NetfilterError(.changedMeanwhile, "\(id): \(edit)")
                }
                rules[name]?.remove(at: index)
            case .flush(let name):
                guard rules.updateValue([], forKey: name) != nil else { throw refused(edit) }
            case .deleteChain(let name):
                guard rules[name]?.isEmpty == true else { throw refused(edit) }
                rules[name] = nil
            }
        }
        // No rule may lead to a chain that is not there.
        for rule in rules.values.joined() {
            if let chain = rule.content.chain, rules[chain] == nil {
                throw NetfilterError(.refused, errno: EINVAL, "\(id): \(rule.content): no such chain")
            }
        }
        let builtIn = chains.filter(\.isBuiltIn)
        let others = Set(rules.keys).subtracting(builtIn.map(\.name)).sorted()
        return TableSnapshot(
            id,
            chains: builtIn.map { ChainSnapshot(name: $0.name, policy: $0.policy, rules: rules[$0.name] ?? []) }
                + others.map { ChainSnapshot(name: $0, policy: nil, rules: rules[$0] ?? []) })
    }

    /// Changes the rules of one chain, making the chain if need be, as somebody who skips the lock does.
    package mutating func change(_ name: ChainName, _ body: (inout [KernelRule]) -> Void) {
        var rules = Array(self[name]?.rules ?? [])
        body(&rules)
        let chain = ChainSnapshot(name: name, policy: self[name]?.policy, rules: rules)
        let others = chains.filter { $0.name != name || $0.isBuiltIn }.map { $0.name == name ? chain : $0 }
        self = TableSnapshot(id, chains: others + (chain.isBuiltIn ? [] : [chain]))
    }
}

/// A clock on which no time passes unless somebody sleeps.
package final class ManualClock: Clock, Sendable {
    package struct Instant: InstantProtocol {
        package var offset: Duration
        package func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        package func duration(to other: Instant) -> Duration { other.offset - offset }
        package static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let state = Mutex((now: Instant(offset: .zero), pauses: [Duration]()))
    /// What every sleep does besides passing the time.
    private let onSleep: @Sendable (Int) -> Void

    package init(onSleep: @escaping @Sendable (Int) -> Void = { _ in }) { self.onSleep = onSleep }

    /// Lets time pass.
    package func advance(by duration: Duration) { state.withLock { $0.now = $0.now.advanced(by: duration) } }

    package var now: Instant { state.withLock { $0.now } }
    package var minimumResolution: Duration { .nanoseconds(1) }
    /// How long each sleep was.
    package var pauses: [Duration] { state.withLock { $0.pauses } }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let count = state.withLock { state in
            state.pauses.append(state.now.duration(to: deadline))
            state.now = max(state.now, deadline)
            return state.pauses.count
        }
        onSleep(count)
        try Task.checkCancellation()
    }
}
