// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// A table as the kernel gave it, of which nothing is decoded but where its chains lie.
///
/// The layout is that of `struct ipt_replace` (linux/netfilter_ipv4/ip_tables.h): entries one after the other; a built-in
/// chain runs from its hook's offset to its policy, which is at the hook's underflow; a chain that is not built in runs from
/// an entry with an ERROR target, which bears its name, to an unconditional RETURN; a last ERROR target ends the table.
final class TableImage: Sendable {
    /// A chain in the table.
    struct Span: Sendable {
        let name: ChainName
        /// The entry that holds the policy; nil for a chain that is not built in.
        let policy: Int?
        /// The numbers of the chain's rules among the table's entries.
        let entries: Range<Int>
    }

    let id: TableID
    /// The kernel's answer whole. Entries begin at `start`; offsets are counted from the beginning of the array.
    let bytes: [UInt8]
    let start: Int
    /// Where each entry begins, and after the last one where it ends.
    let offsets: [Int]
    /// The chains in the kernel's order.
    let chains: [Span]
    /// The number of each chain in `chains`.
    let numbers: [ChainName: Int]
    private let buffers: TableBuffers?

    /// The table whose entries begin at `start` of the bytes, and of which `info` tells the hooks. The bytes go back into the
    /// buffers when the image is no longer needed.
    ///
    /// - Throws: `malformed` when they do not follow the layout; never reads outside them.
    init(_ id: TableID, _ bytes: [UInt8], from start: Int, _ info: ipt_getinfo, buffers: TableBuffers? = nil) throws(NetfilterError)
    {
        var walk = TableWalk(id, bytes, from: start, info)
        try walk.run()
        self.id = id
        self.bytes = bytes
        self.start = start
        self.buffers = buffers
        offsets = walk.offsets
        chains = walk.chains
        var numbers: [ChainName: Int] = [:]
        numbers.reserveCapacity(chains.count)
        for (number, chain) in chains.enumerated() { numbers[chain.name] = number }
        self.numbers = numbers
    }

    deinit { buffers?.put(bytes, for: id) }

    /// The chain to which a jump with this verdict leads: an offset from the first entry.
    func chain(at verdict: Int32) -> ChainName? {
        let offset = start + Int(verdict)
        // Chains are in the order of their entries.
        var (low, high) = (0, chains.count)
        while low < high {
            let middle = (low + high) / 2
            if offsets[chains[middle].entries.lowerBound] < offset { low = middle + 1 } else { high = middle }
        }
        guard low < chains.count, offsets[chains[low].entries.lowerBound] == offset else { return nil }
        return chains[low].name
    }

    /// The verdict of a jump to the chain.
    func verdict(of name: ChainName) -> Int32? {
        numbers[name].map { Int32(truncatingIfNeeded: offsets[chains[$0].entries.lowerBound] - start) }
    }

    /// The rule in the entry of that number.
    func rule(_ number: Int) -> KernelRule {
        var decoder = EntryDecoder(id.family, chain: chain(at:))
        return decoder.decode(entry(number))
    }

    /// The chain to which the entry of that number leads.
    func target(of number: Int) -> ChainName? {
        guard let verdict = entry(number).verdict, verdict >= 0 else { return nil }
        return chain(at: verdict)
    }

    /// What the entry of that number has seen.
    func counters(_ number: Int) -> Counters { entry(number).counters }

    /// The policy in the entry of that number.
    func policy(_ number: Int) -> ChainSnapshot.Policy {
        let entry = entry(number)
        return ChainSnapshot.Policy(verdict: entry.verdict == EntryLayout.verdictDrop ? .drop : .accept, counters: entry.counters)
    }

    private func entry(_ number: Int) -> EntryReader {
        EntryReader(checked: bytes, at: offsets[number], EntryLayout.of(id.family))
    }
}

/// Finds the entries and chains of a table.
private struct TableWalk {
    private let id: TableID
    private let bytes: [UInt8]
    private let start: Int
    private let info: ipt_getinfo
    private let layout: EntryLayout
    var offsets: [Int] = []
    var chains: [TableImage.Span] = []

    init(_ id: TableID, _ bytes: [UInt8], from start: Int, _ info: ipt_getinfo) {
        self.id = id
        self.bytes = bytes
        self.start = start
        self.info = info
        layout = EntryLayout.of(id.family)
    }

    /// A built-in chain: where its first entry and its policy are.
    private struct BuiltIn {
        let name: ChainName
        let first, policy: Int
    }

    /// The built-in chains of `valid_hooks`, in the order of their first entries.
    private var builtIn: [BuiltIn] {
        var chains: [BuiltIn] = []
        withUnsafeBytes(of: info.hook_entry) { starts in
            withUnsafeBytes(of: info.underflow) { policies in
                for (hook, name) in Hook.allCases.map(\.chain).enumerated() where info.valid_hooks & (1 << UInt32(hook)) != 0 {
                    chains.append(
                        BuiltIn(
                            name: name, first: start + Int(starts.load(fromByteOffset: 4 * hook, as: UInt32.self)),
                            policy: start + Int(policies.load(fromByteOffset: 4 * hook, as: UInt32.self))))
                }
            }
        }
        return chains.sorted { $0.first < $1.first }
    }

    mutating func run() throws(NetfilterError) {
        let array = bytes
        let bytes = array.span.bytes
        var builtIn = builtIn[...]
        offsets.reserveCapacity(min(Int(info.num_entries), bytes.byteCount / layout.size) + 1)
        var open: (name: ChainName, policy: Int?, first: Int)?
        var offset = start
        while offset < bytes.byteCount {
            let (targetStart, end) = try EntryReader.check(bytes, at: offset, layout)
            let number = offsets.count
            offsets.append(offset)
            while let chain = builtIn.first, chain.first < offset { builtIn.removeFirst() }
            if let chain = builtIn.first, chain.first == offset {
                try close(open, before: number)
                open = (chain.name, chain.policy, number)
            } else if let name = EntryReader.errorName(bytes, target: targetStart) {
                try close(open, before: number)
                // The table's last entry has an ERROR target too, and heads no chain.
                open = end < bytes.byteCount ? (name, nil, number + 1) : nil
            } else if open == nil {
                throw .malformed("a rule is outside of any chain", offset)
            }
            offset = end
        }
        try close(open, before: offsets.count)
        offsets.append(offset)
    }

    /// Ends the open chain with the entry before that number: its policy, which is no rule of it.
    private mutating func close(_ open: (name: ChainName, policy: Int?, first: Int)?, before number: Int) throws(NetfilterError) {
        guard let (name, policy, first) = open else { return }
        guard number > first else { throw .malformed("the chain \(name) has no end", offsets.last ?? start) }
        let last = EntryReader(checked: bytes, at: offsets[number - 1], layout)
        guard !last.hasMatches, last.verdict != nil, policy == nil || policy == last.start else {
            throw .malformed("the chain \(name) has no end", last.start)
        }
        chains.append(TableImage.Span(name: name, policy: policy.map { _ in number - 1 }, entries: first..<number - 1))
    }
}
