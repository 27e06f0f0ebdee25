internal import CNetfilter
internal import Rules

/// The bytes of a whole table as chains of rules.
///
/// The layout is that of `struct ipt_replace` (linux/netfilter_ipv4/ip_tables.h): entries one behind the other; a built-in
/// chain runs from its hook's offset to its policy, which stands at the hook's underflow; a chain that somebody made runs from
/// an entry with an ERROR target, which bears its name, to an unconditional RETURN; a last ERROR target ends the table.
struct TableDecoder {
    private let id: TableID
    private let bytes: [UInt8]
    private let info: ipt_getinfo
    private var entries: [EntryReader] = []
    private var chainAt: [Int: ChainName] = [:]

    /// The table in the bytes, of which `info` tells the hooks.
    ///
    /// - Throws: `malformed` when they do not follow the layout; never reads outside them.
    static func decode(_ id: TableID, _ bytes: [UInt8], _ info: ipt_getinfo) throws(NetfilterError) -> TableSnapshot {
        var decoder = TableDecoder(id: id, bytes: bytes, info: info)
        try decoder.readEntries()
        return TableSnapshot(id, chains: try decoder.chains())
    }

    private init(id: TableID, bytes: [UInt8], info: ipt_getinfo) {
        self.id = id
        self.bytes = bytes
        self.info = info
    }

    /// The built-in chains of `valid_hooks`: name, first entry, policy.
    private var hooks: [(name: ChainName, start: Int, policy: Int)] {
        let names = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]  // enum nf_inet_hooks, linux/netfilter.h
        return withUnsafeBytes(of: info.hook_entry) { starts in
            withUnsafeBytes(of: info.underflow) { policies in
                names.indices.filter { info.valid_hooks & (1 << UInt32($0)) != 0 }.map { hook in
                    (
                        ChainName(fromKernel: names[hook]),
                        Int(starts.load(fromByteOffset: 4 * hook, as: UInt32.self)),
                        Int(policies.load(fromByteOffset: 4 * hook, as: UInt32.self))
                    )
                }
            }
        }
    }

    private mutating func readEntries() throws(NetfilterError) {
        let layout = EntryLayout.of(id.family)
        entries.reserveCapacity(min(Int(info.num_entries), bytes.count / layout.size))
        var offset = 0
        while offset < bytes.count {
            let entry = try EntryReader(bytes, at: offset, layout)
            entries.append(entry)
            if let name = entry.errorName, entry.end < bytes.count { chainAt[entry.end] = ChainName(fromKernel: name) }
            offset = entry.end
        }
    }

    private func chains() throws(NetfilterError) -> [ChainSnapshot] {
        let chainAt = chainAt
        let decoder = EntryDecoder(family: id.family) { chainAt[Int($0)] }
        var hookAt: [Int: (name: ChainName, policy: Int)] = [:]
        for hook in hooks { hookAt[hook.start] = (hook.name, hook.policy) }

        var chains: [ChainSnapshot] = []
        var name: ChainName?
        var policy: Int?
        var rules: [KernelRule] = []
        var last: EntryReader?

        // The entry that ends a chain, its policy, is no rule of it.
        func finish() throws(NetfilterError) {
            guard let name else { return }
            guard let last, last.matches.isEmpty, let verdict = last.verdict, policy == nil || policy == last.start else {
                throw .malformed("the chain \(name) has no end", last?.start ?? 0)
            }
            let builtIn = policy.map { _ in
                ChainSnapshot.Policy(
                    verdict: verdict == EntryLayout.verdictDrop ? "DROP" : "ACCEPT", counters: last.counters)
            }
            chains.append(ChainSnapshot(name: name, policy: builtIn, rules: rules))
        }

        for entry in entries {
            let hook = hookAt[entry.start]
            let errorName = entry.errorName
            guard hook != nil || errorName != nil else {
                if let last { rules.append(decoder.decode(last)) }
                guard name != nil else { throw .malformed("a rule stands outside of any chain", entry.start) }
                last = entry
                continue
            }
            try finish()
            rules = []
            if let hook {
                (name, policy, last) = (hook.name, hook.policy, entry)
            } else {
                (name, policy, last) = (chainAt[entry.end], nil, nil)
            }
        }
        return chains
    }
}
