// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Glibc
import Rules
import SystemCalls

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
            throw .table(id, "opening \(id)")
        }
        self.handle = handle
        self.id = id
    }

    deinit {
        if id.family == .ipv4 { iptc_free(handle) } else { ip6tc_free(handle) }
    }

    /// Makes the changes in the copy, in order.
    ///
    /// - Returns: those that libiptc or the kernel's structures do not allow, with the reason; all others are made.
    /// - Throws: `changedMeanwhile` where the copy is not what the changes were computed from.
    func apply(_ edits: [TableEdit]) throws(NetfilterError) -> [LeftOutEdit] {
        var encoder = EntryEncoder(id.family)
        var leftOut: [LeftOutEdit] = []
        for edit in edits {
            do throws(NetfilterError) {
                try apply(edit, &encoder)
            } catch {
                guard error.code != .changedMeanwhile, error.code != .outOfMemory else { throw error }
                leftOut.append(LeftOutEdit(edit, error))
            }
        }
        return leftOut
    }

    /// Makes one change in the copy.
    private func apply(_ edit: TableEdit, _ encoder: inout EntryEncoder) throws(NetfilterError) {
        errno = 0
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
            case .deleteForeign(let name, let index, let content):
                try delete(content, index, from: name, &encoder)
            case .flush(let name):
                withLabel(name) { id.family == .ipv4 ? iptc_flush_entries($0, handle) : ip6tc_flush_entries($0, handle) }
            case .deleteChain(let name):
                withLabel(name) { id.family == .ipv4 ? iptc_delete_chain($0, handle) : ip6tc_delete_chain($0, handle) }
            }
        guard isDone != 1 else { return }
        // libiptc's own words for these: no such chain or rule, a chain that has rules, one that is led to.
        let number = errno
        if number == ENOENT || number == EINVAL || number == EMLINK || number == ENOTEMPTY || number == EEXIST || number == E2BIG {
            throw NetfilterError(.refused, errno: number, "preparing \(id): \(edit): \(SystemError.text(errno: number))")
        }
        throw NetfilterError(errno: number, "preparing \(id): \(edit)")
    }

    private func delete(_ index: Int, from name: ChainName) -> CInt {
        withLabel(name) {
            id.family == .ipv4
                ? iptc_delete_num_entry($0, UInt32(index), handle) : ip6tc_delete_num_entry($0, UInt32(index), handle)
        }
    }

    /// Takes the rule out if it says this.
    private func delete(
        _ content: KernelRule.Content, _ index: Int, from name: ChainName, _ encoder: inout EntryEncoder
    ) throws(NetfilterError) -> CInt {
        guard let found = try entry(index, in: name), try encoder.withEntry(KernelRule(content), { $0.elementsEqual(found) }) else {
            throw NetfilterError(
                .changedMeanwhile,
                "preparing \(id): rule \(index + 1) of \(name) has changed; another program writes without the lock")
        }
        return delete(index, from: name)
    }

    /// The rule of that number in the copy, as `KernelRule.Content.entry` has it.
    private func entry(_ index: Int, in name: ChainName) throws(NetfilterError) -> [UInt8]? {
        let found: (entry: [UInt8], target: [UInt8])? = withLabel(name) { label in
            // libiptc asks for the very pointer that its iteration gave.
            if id.family == .ipv4 {
                var entry = iptc_first_rule(label, handle)
                for _ in 0..<index { entry = entry.flatMap { iptc_next_rule($0, handle) } }
                guard let entry, let target = iptc_get_target(entry, handle) else { return nil }
                let bytes = UnsafeRawBufferPointer(start: entry, count: Int(entry.pointee.next_offset))
                return (Array(bytes), nameBytes(target))
            }
            var entry = ip6tc_first_rule(label, handle)
            for _ in 0..<index { entry = entry.flatMap { ip6tc_next_rule($0, handle) } }
            guard let entry, let target = ip6tc_get_target(entry, handle) else { return nil }
            let bytes = UnsafeRawBufferPointer(start: entry, count: Int(entry.pointee.next_offset))
            return (Array(bytes), nameBytes(target))
        }
        guard let found else { return nil }
        return try EntryReader(found.entry, at: 0, EntryLayout.of(id.family)).normalised(target: found.target)
    }

    private func insert(
        _ rule: KernelRule, into name: ChainName, at index: Int?, _ encoder: inout EntryEncoder
    ) throws(NetfilterError) -> CInt {
        try encoder.withEntry(rule) { entry in withLabel(name) { insert(entry, $0, index) } }
    }

    private func append(_ rules: KernelRules, to name: ChainName, _ encoder: inout EntryEncoder) throws(NetfilterError) -> CInt {
        try withLabel(name) { label throws(NetfilterError) in
            try rules.withEntries(&encoder) { insert($0, label, nil) == 1 } ? 1 : 0
        }
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
    /// It is two system calls: the replacement, then the counters. An error may come from either, so it does not say
    /// whether the rules are in force: read the table.
    consuming func commit() throws(NetfilterError) {
        errno = 0
        guard (id.family == .ipv4 ? iptc_commit(handle) : ip6tc_commit(handle)) == 1 else {
            throw .last("committing \(id)")
        }
    }
}

private func nameBytes(_ name: UnsafePointer<CChar>) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))
}

/// Calls `body` with the name in the 32 bytes that libiptc reads whole (`xt_chainlabel`).
private func withLabel<Result, Failure: Error>(
    _ name: ChainName, _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
) throws(Failure) -> Result {
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: MemoryLayout<xt_chainlabel>.size) { label throws(Failure) in
        name.store(into: UnsafeMutableRawBufferPointer(label))
        return try body(UnsafePointer(label.baseAddress.unsafelyUnwrapped))
    }
}
