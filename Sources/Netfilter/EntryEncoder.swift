// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Glibc
import Rules

/// Rules as the kernel takes them: an `ipt_entry` or `ip6t_entry`, its matches and its target in one piece.
///
/// The bytes equal those that `iptables-legacy` makes of the rule's text; the tests compare them kind by kind. One encoder
/// makes one entry after the other in the same memory.
struct EntryEncoder: ~Copyable {
    let layout: EntryLayout
    /// In which table a jump's target is to be found; nil: jumps have the chain's name, as libiptc takes them.
    let image: TableImage?
    /// The entry, and room after it. Aligned as an entry must be.
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: EntryEncoder.room, alignment: 16)
    /// How long the entry is.
    private(set) var count = 0
    /// The rule whose entry it is; nil where it is useless for the next one.
    private(set) var last: Rule?

    /// Room for the longest entry that is made of words.
    private static let room = 8192

    /// An encoder of entries as libiptc takes them.
    init(_ family: Family) {
        layout = EntryLayout.of(family)
        image = nil
    }

    /// An encoder of entries as the kernel has them in this table.
    init(_ image: TableImage) {
        layout = EntryLayout.of(image.id.family)
        self.image = image
    }

    deinit { bytes.deallocate() }

    /// Calls `body` with the entry of what a rule says, with the rule's counters in it.
    ///
    /// - Throws: `unencodable` for a value that the kernel's structures have no room for, or of the other family.
    mutating func withEntry<Result>(
        _ rule: KernelRule, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(NetfilterError) -> Result {
        guard var entry = rule.content.entry else {
            try encode(rule.rule)
            put(rule.counters.packets, at: layout.counters)
            put(rule.counters.bytes, at: layout.counters + 8)
            return body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
        return entry.withUnsafeMutableBytes { entry in
            entry.storeBytes(of: rule.counters.packets, toByteOffset: layout.counters, as: UInt64.self)
            entry.storeBytes(of: rule.counters.bytes, toByteOffset: layout.counters + 8, as: UInt64.self)
            // An array's storage is aligned to 16 bytes at least, an entry to 8.
            return body(UnsafeRawBufferPointer(entry))
        }
    }

    /// Calls `body` with the entry of a rule that has seen nothing yet; see `withEntry`.
    mutating func withEntry<Result>(
        _ rule: borrowing Rule, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(NetfilterError) -> Result {
        try encode(rule)
        return body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }

    /// Whether the entry that begins at `start` of the bytes and ends before `end` is, byte by byte, the one that the rule would
    /// have; counters do not matter.
    mutating func isEqual(_ rule: borrowing Rule, _ entries: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Bool {
        guard (try? encode(rule)) != nil, end - start == count, end <= entries.count,
            let wanted = bytes.baseAddress, let found = entries.baseAddress.map({ $0 + start })
        else { return false }
        // All but comefrom and the counters, with which the entry's head ends.
        return memcmp(wanted, found, layout.comefrom) == 0
            && memcmp(wanted + layout.size, found + layout.size, count - layout.size) == 0
    }

    /// Whether the rule's entry is this one, whose counters and `comefrom` are zeros.
    mutating func isEncoding(_ rule: borrowing Rule, _ entry: [UInt8]) -> Bool {
        guard (try? encode(rule)) != nil, entry.count == count, let wanted = bytes.baseAddress else { return false }
        return entry.withUnsafeBytes { $0.baseAddress.map { memcmp(wanted, $0, count) == 0 } ?? false }
    }

    // MARK: - The entry itself

    private mutating func encode(_ rule: borrowing Rule) throws(NetfilterError) {
        if try encodeOverLast(rule) { return }
        last = nil
        try encodeWhole(rule)
        last = copy rule
    }

    private mutating func encodeWhole(_ rule: borrowing Rule) throws(NetfilterError) {
        clear(0..<layout.size)
        count = layout.size
        try put(rule.match.source, at: layout.source, mask: layout.sourceMask, inverted: EntryLayout.sourceInverted)
        try put(
            rule.match.destination, at: layout.destination, mask: layout.destinationMask, inverted: EntryLayout.destinationInverted)
        put(rule.match.inInterface, layout.inInterface, mask: layout.inInterfaceMask, inverted: EntryLayout.inInterfaceInverted)
        put(rule.match.outInterface, layout.outInterface, mask: layout.outInterfaceMask, inverted: EntryLayout.outInterfaceInverted)
        if let transport = rule.match.transport {
            put(UInt16(transport.number), at: layout.protocolNumber)
            bytes[layout.flags] |= layout.protocolFlag
            if transport.isInverted { bytes[layout.inversions] |= EntryLayout.protocolInverted }
        }
        if let isFurtherFragment = rule.match.isFurtherFragment {
            guard layout.family == .ipv4 else { throw .noWords("an ipv6 table has no match for fragments in its entries") }
            bytes[layout.flags] |= EntryLayout.fragmentFlag
            if !isFurtherFragment { bytes[layout.inversions] |= EntryLayout.fragmentInverted }
        }
        try append(rule.match.conditions, rule.match.transport)
        if let comment = rule.comment {
            guard comment.utf8.count < Int(XT_MAX_COMMENT_LEN) else {
                throw .noWords("the comment \(printable(comment)) is longer than \(XT_MAX_COMMENT_LEN - 1) bytes")
            }
            let data = try appendHeader("comment", revision: 0, dataSize: MemoryLayout<xt_comment_info>.size)
            put(comment, at: data)
        }
        put(UInt16(count), at: layout.targetOffset)
        try append(rule.target)
        put(UInt16(count), at: layout.nextOffset)
    }

    private func put(_ match: AddressMatch?, at offset: Int, mask: Int, inverted: UInt8) throws(NetfilterError) {
        guard let match else { return }
        try put(match.prefix.address, at: offset)
        put(addressBits: match.prefix.mask, at: mask)
        if match.isInverted { bytes[layout.inversions] |= inverted }
    }

    private func put(_ interface: InterfaceMatch?, _ offset: Int, mask: Int, inverted: UInt8) {
        guard let interface else { return }
        // As iptables does: the plus sign stays in the name, and the mask leaves it out; else the mask covers the NUL.
        let pattern = interface.pattern
        put(pattern.description, at: offset)
        let compared = pattern.isPrefix ? pattern.name.utf8.count : pattern.name.utf8.count + 1
        for index in 0..<compared { bytes[mask + index] = 0xff }
        if interface.isInverted { bytes[layout.inversions] |= inverted }
    }

    // MARK: - Bytes

    /// Appends a match or a target of the data, whose structure is plain memory without padding.
    mutating func append<Data: BitwiseCopyable>(_ name: String, revision: UInt8, _ data: Data) throws(NetfilterError) {
        let start = try appendHeader(name, revision: revision, dataSize: MemoryLayout<Data>.size)
        put(data, at: start)
    }

    /// Appends a match or a target of these bytes.
    mutating func append(_ part: ExtensionBytes) throws(NetfilterError) {
        let start = try appendHeader(part.name, revision: part.revision, dataSize: part.bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + part.bytes.count]).copyBytes(from: part.bytes)
    }

    /// Appends a header and zeros for its data; returns where the data begin.
    mutating func appendHeader(_ name: String, revision: UInt8, dataSize: Int) throws(NetfilterError) -> Int {
        let start = count
        let size = EntryLayout.headerSize + fwmarkd_xt_align(dataSize)
        guard count + size <= bytes.count, name.utf8.count < EntryLayout.nameSize else {
            throw .noWords("a rule with \(printable(name)) is too long")
        }
        count += size
        clear(start..<count)
        put(UInt16(size), at: start)
        put(name, at: start + EntryLayout.headerName)
        bytes[start + EntryLayout.headerRevision] = revision
        return start + EntryLayout.headerSize
    }

    private func clear(_ range: Range<Int>) {
        _ = UnsafeMutableRawBufferPointer(rebasing: bytes[range]).initializeMemory(as: UInt8.self, repeating: 0)
    }

    func put(_ address: Address, at offset: Int) throws(NetfilterError) {
        guard address.family == layout.family else {
            throw .noWords("the address \(address) does not belong into an \(layout.family) table")
        }
        put(addressBits: address.bits, at: offset)
    }

    func put(addressBits bits: UInt128, at offset: Int) {
        if layout.family == .ipv4 {
            put(UInt32(truncatingIfNeeded: bits).bigEndian, at: offset)
        } else {
            put(bits.bigEndian, at: offset)
        }
    }

    func put(_ range: PortRange, at offset: Int) {
        put(range.lower, at: offset)
        put(range.upper, at: offset + MemoryLayout<UInt16>.size)
    }

    func put(_ text: String, at offset: Int) {
        var text = text
        text.withUTF8 { text in
            UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + text.count]).copyMemory(
                from: UnsafeRawBufferPointer(text))
        }
    }

    func put<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        bytes.storeBytes(of: value, toByteOffset: offset, as: Value.self)
    }
}

extension NetfilterError {
    /// The error of a rule that the kernel's structures have no room for.
    static func noWords(_ message: String) -> NetfilterError { NetfilterError(.unencodable, message) }
}
