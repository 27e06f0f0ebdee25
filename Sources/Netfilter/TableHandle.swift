import CNetfilter
import Glibc
import Rules

/// libiptc's copy of a table, to be changed and committed once.
///
/// libiptc reads the table when the handle is made and writes the whole of it at `commit`. The value is not to be used from
/// two threads.
struct TableHandle: ~Copyable {
    private let handle: OpaquePointer
    let id: TableID

    /// Reads the table in the calling thread's network namespace.
    init(_ id: TableID) throws(NetfilterError) {
        errno = 0
        guard let handle = id.family == .ipv4 ? iptc_init(id.table.rawValue) : ip6tc_init(id.table.rawValue) else {
            throw .last("opening \(id)")
        }
        self.handle = handle
        self.id = id
    }

    deinit {
        if id.family == .ipv4 { iptc_free(handle) } else { ip6tc_free(handle) }
    }

    /// Makes the changes in the copy, in order.
    func apply(_ edits: [TableEdit]) throws(NetfilterError) {
        var encoder = EntryEncoder(id.family)
        for edit in edits { try apply(edit, &encoder) }
    }

    /// Makes one change in the copy.
    ///
    /// - Throws: `refused` when libiptc cannot do it (no such chain, no such rule, a chain still in use), `unencodable`.
    private func apply(_ edit: TableEdit, _ encoder: inout EntryEncoder) throws(NetfilterError) {
        let isDone =
            switch edit {
            case .createChain(let name):
                withLabel(name) { id.family == .ipv4 ? iptc_create_chain($0, handle) : ip6tc_create_chain($0, handle) }
            case .append(let name, let rule):
                try insert(rule, into: name, at: nil, &encoder)
            case .appendAll(let name, let rules):
                try append(rules, to: name, &encoder)
            case .insert(let name, let index, let rule):
                try insert(rule, into: name, at: index, &encoder)
            case .delete(let name, let index):
                delete(index, from: name)
            case .deleteJump(let name, let index):
                if try isOurJump(index, in: name) {
                    delete(index, from: name)
                } else {
                    throw NetfilterError(
                        .changedMeanwhile,
                        "preparing \(id): rule \(index + 1) of \(name) is no longer our jump; another program writes without the lock"
                    )
                }
            case .deleteOriginal(let name, let index, let content):
                if try says(content, index, in: name) {
                    delete(index, from: name)
                } else {
                    throw NetfilterError(
                        .changedMeanwhile,
                        "preparing \(id): rule \(index + 1) of \(name) has changed; another program writes without the lock")
                }
            case .flush(let name):
                withLabel(name) { id.family == .ipv4 ? iptc_flush_entries($0, handle) : ip6tc_flush_entries($0, handle) }
            case .deleteChain(let name):
                withLabel(name) { id.family == .ipv4 ? iptc_delete_chain($0, handle) : ip6tc_delete_chain($0, handle) }
            }
        guard isDone == 1 else { throw .last("preparing \(id): \(edit)") }
    }

    private func delete(_ index: Int, from name: ChainName) -> CInt {
        withLabel(name) {
            id.family == .ipv4
                ? iptc_delete_num_entry($0, UInt32(index), handle) : ip6tc_delete_num_entry($0, UInt32(index), handle)
        }
    }

    private func isOurJump(_ index: Int, in name: ChainName) throws(NetfilterError) -> Bool {
        guard let (entry, target) = standing(index, in: name) else { return false }
        let comment = try EntryReader(entry, at: 0, EntryLayout.of(id.family)).comment
        return comment == Ruleset.jumpComment && ChainName(fromKernel: target).isOurs
    }

    private func says(_ content: KernelRule.Content, _ index: Int, in name: ChainName) throws(NetfilterError) -> Bool {
        guard let (entry, _) = standing(index, in: name) else { return false }
        let decoder = EntryDecoder(family: id.family) { _ in nil }
        return decoder.decode(try EntryReader(entry, at: 0, EntryLayout.of(id.family))).content == content
    }

    /// The rule of that number, and its target's name as libiptc knows it.
    private func standing(_ index: Int, in name: ChainName) -> (entry: [UInt8], target: String)? {
        let (entry, target) = withLabel(name) { label in
            // libiptc asks for the very pointer that its iteration gave.
            if id.family == .ipv4 {
                var entry = iptc_first_rule(label, handle)
                for _ in 0..<index { entry = entry.flatMap { iptc_next_rule($0, handle) } }
                return (
                    entry.map { Array(UnsafeRawBufferPointer(start: $0, count: Int($0.pointee.next_offset))) },
                    entry.flatMap { iptc_get_target($0, handle) }.map { String(cString: $0) }
                )
            }
            var entry = ip6tc_first_rule(label, handle)
            for _ in 0..<index { entry = entry.flatMap { ip6tc_next_rule($0, handle) } }
            return (
                entry.map { Array(UnsafeRawBufferPointer(start: $0, count: Int($0.pointee.next_offset))) },
                entry.flatMap { ip6tc_get_target($0, handle) }.map { String(cString: $0) }
            )
        }
        guard let entry, let target else { return nil }
        return (entry, target)
    }

    private func insert(
        _ rule: KernelRule, into name: ChainName, at index: Int?, _ encoder: inout EntryEncoder
    ) throws(NetfilterError) -> CInt {
        try encoder.withEntry(rule) { entry in withLabel(name) { insert(entry, $0, index) } }
    }

    private func append(_ rules: KernelRules, to name: ChainName, _ encoder: inout EntryEncoder) throws(NetfilterError) -> CInt {
        try rules.withEntries(&encoder) { entry in withLabel(name) { insert(entry, $0, nil) == 1 } } ? 1 : 0
    }

    private func insert(_ entry: UnsafeRawBufferPointer, _ label: UnsafePointer<CChar>, _ index: Int?) -> CInt {
        switch (id.family, index) {
        case (.ipv4, let index?):
            iptc_insert_entry(label, entry.assumingMemoryBound(to: ipt_entry.self).baseAddress, UInt32(index), handle)
        case (.ipv4, nil):
            iptc_append_entry(label, entry.assumingMemoryBound(to: ipt_entry.self).baseAddress, handle)
        case (.ipv6, let index?):
            ip6tc_insert_entry(label, entry.assumingMemoryBound(to: ip6t_entry.self).baseAddress, UInt32(index), handle)
        case (.ipv6, nil):
            ip6tc_append_entry(label, entry.assumingMemoryBound(to: ip6t_entry.self).baseAddress, handle)
        }
    }

    /// Writes the copy into the kernel and ends the handle.
    ///
    /// Two system calls stand behind it: the replacement, then the counters. An error may come from either, so it does not say
    /// whether the rules are in force: read the table.
    consuming func commit() throws(NetfilterError) {
        errno = 0
        guard (id.family == .ipv4 ? iptc_commit(handle) : ip6tc_commit(handle)) == 1 else {
            throw .last("committing \(id)")
        }
    }
}

/// Calls `body` with the name in the 32 bytes that libiptc reads whole (`xt_chainlabel`).
private func withLabel<Result>(_ name: ChainName, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: MemoryLayout<xt_chainlabel>.size) { label in
        copyName(name.text, into: UnsafeMutableRawBufferPointer(label))
        return body(UnsafePointer(label.baseAddress.unsafelyUnwrapped))
    }
}
