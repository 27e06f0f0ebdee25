// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// One entry within the bytes of a table, whose bounds were checked: every match and the target lie inside it, each with room
/// for its header.
struct EntryReader {
    /// A match or a target: where its data lie.
    struct Part {
        /// Where the header begins, from the beginning of the bytes.
        let header: Int
        /// How many bytes of data follow the header.
        let dataSize: Int

        var data: Int { header + EntryLayout.headerSize }

        init(_ bytes: [UInt8], at header: Int) {
            self.header = header
            dataSize = Int(bytes.load(UInt16.self, at: header)) - EntryLayout.headerSize
        }
    }

    /// The matches of an entry in order.
    struct Matches: Sequence, IteratorProtocol {
        fileprivate let bytes: [UInt8]
        fileprivate var offset: Int
        fileprivate let end: Int

        mutating func next() -> Part? {
            guard offset < end else { return nil }
            let part = Part(bytes, at: offset)
            offset = part.data + part.dataSize
            return part
        }
    }

    let layout: EntryLayout
    let bytes: [UInt8]
    /// Where the entry begins, where its target begins, and where it ends, from the beginning of the bytes.
    let start, targetStart, end: Int

    var matches: Matches { Matches(bytes: bytes, offset: start + layout.size, end: targetStart) }
    var hasMatches: Bool { targetStart > start + layout.size }
    var target: Part { Part(bytes, at: targetStart) }

    /// The entry at `start`, which was checked before.
    init(checked bytes: [UInt8], at start: Int, _ layout: EntryLayout) {
        self.layout = layout
        self.bytes = bytes
        self.start = start
        targetStart = start + Int(bytes.load(UInt16.self, at: start + layout.targetOffset))
        end = start + Int(bytes.load(UInt16.self, at: start + layout.nextOffset))
    }

    /// The entry at `start`.
    ///
    /// - Throws: `malformed` when a size or an offset leads out of the entry or of the table.
    init(_ bytes: [UInt8], at start: Int, _ layout: EntryLayout) throws(NetfilterError) {
        _ = try EntryReader.check(bytes.span.bytes, at: start, layout)
        self.init(checked: bytes, at: start, layout)
    }

    /// Where the target of the entry at `start` begins, and where the entry ends.
    ///
    /// - Throws: `malformed` when a size or an offset leads out of the entry or of the table.
    static func check(
        _ bytes: borrowing RawSpan, at start: Int, _ layout: EntryLayout
    ) throws(NetfilterError) -> (targetStart: Int, end: Int) {
        guard start >= 0, start + layout.size <= bytes.byteCount else {
            throw .malformed("an entry's head passes the end", start)
        }
        let targetStart = start + Int(bytes.load(UInt16.self, at: start + layout.targetOffset))
        let end = start + Int(bytes.load(UInt16.self, at: start + layout.nextOffset))
        guard end <= bytes.byteCount, targetStart >= start + layout.size, targetStart + EntryLayout.headerSize <= end else {
            throw .malformed("an entry's offsets \(targetStart - start) and \(end - start) do not fit", start)
        }
        var offset = start + layout.size
        while offset < targetStart {
            let room = targetStart - offset
            let size = room >= EntryLayout.headerSize ? Int(bytes.load(UInt16.self, at: offset)) : 0
            guard size >= EntryLayout.headerSize, size <= room else {
                throw .malformed("a match of \(size) bytes in room of \(room)", offset)
            }
            offset += size
        }
        let size = Int(bytes.load(UInt16.self, at: targetStart))
        guard size >= EntryLayout.headerSize, size <= end - targetStart else {
            throw .malformed("a target of \(size) bytes in room of \(end - targetStart)", start)
        }
        return (targetStart, end)
    }

    // MARK: - Names

    /// Whether the part bears the name and the revision, and has room for `size` bytes of data.
    func isPart(_ part: Part, _ name: StaticString, revision: UInt8, size: Int) -> Bool {
        hasName(part, name) && self.revision(part) == revision && part.dataSize >= size
    }

    func hasName(_ part: Part, _ name: StaticString) -> Bool {
        let start = part.header + EntryLayout.headerName
        return name.withUTF8Buffer { name in
            for index in name.indices where bytes[start + index] != name[index] { return false }
            return bytes[start + name.count] == 0
        }
    }

    func name(_ part: Part) -> String {
        text(at: part.header + EntryLayout.headerName, size: EntryLayout.nameSize)
    }

    func revision(_ part: Part) -> UInt8 { bytes[part.header + EntryLayout.headerRevision] }

    /// The text up to the first NUL, at most `size` bytes; what is no UTF-8 is kept.
    func text(at offset: Int, size: Int) -> String {
        String(keeping: bytes[offset..<offset + size].prefix { $0 != 0 })
    }

    // MARK: - Values

    var counters: Counters {
        Counters(
            packets: bytes.load(UInt64.self, at: start + layout.counters),
            bytes: bytes.load(UInt64.self, at: start + layout.counters + 8))
    }

    var flags: UInt8 { bytes[start + layout.flags] }
    var inversions: UInt8 { bytes[start + layout.inversions] }
    var protocolNumber: UInt16 { bytes.load(UInt16.self, at: start + layout.protocolNumber) }

    /// A standard target's number: a verdict below zero, or where a jump leads, from the table's start.
    ///
    /// - Returns: nil if the target is a module's.
    var verdict: Int32? {
        guard hasName(target, ""), target.dataSize >= MemoryLayout<Int32>.size else { return nil }
        return bytes.load(Int32.self, at: target.data)
    }

    /// The name in the ERROR target at `targetStart`, which heads a chain that is not built in and ends the table; nil for any other
    /// target.
    static func errorName(_ bytes: borrowing RawSpan, target targetStart: Int) -> ChainName? {
        let name: StaticString = "ERROR"
        let start = targetStart + EntryLayout.headerName
        // With the NUL.
        for index in 0...name.utf8CodeUnitCount
        where bytes.load(UInt8.self, at: start + index) != (name.utf8Start + index).pointee { return nil }
        let size = Int(bytes.load(UInt16.self, at: targetStart)) - EntryLayout.headerSize
        guard size >= Int(XT_FUNCTION_MAXNAMELEN) else { return nil }
        let data = targetStart + EntryLayout.headerSize
        return bytes.extracting(data..<data + Int(XT_FUNCTION_MAXNAMELEN)).withUnsafeBytes { ChainName($0) }
    }

    /// The address at an offset within the entry or its parts.
    func address(at offset: Int) -> Address { Address(family: layout.family, bits: addressBits(at: offset)) }

    func addressBits(at offset: Int) -> UInt128 {
        layout.family == .ipv4
            ? UInt128(UInt32(bigEndian: bytes.load(UInt32.self, at: offset)))
            : UInt128(bigEndian: bytes.load(UInt128.self, at: offset))
    }

    /// An address and its mask, of which an empty one means any address: `.some(nil)`.
    ///
    /// - Returns: nil for what no prefix says: a mask with holes, bits set after it, or an inverted empty mask.
    func addressMatch(_ offset: Int, mask maskOffset: Int, inverted: UInt8) -> AddressMatch?? {
        let bits = addressBits(at: start + offset)
        let mask = addressBits(at: start + maskOffset)
        let isInverted = inversions & inverted != 0
        if mask == 0 { return bits == 0 && !isInverted ? .some(nil) : nil }
        let length = mask.nonzeroBitCount
        let prefix = Prefix(containing: Address(family: layout.family, bits: bits), length: length)
        guard prefix.mask == mask, prefix.address.bits == bits else { return nil }
        return AddressMatch(prefix, isInverted: isInverted)
    }

    /// An interface's name and its mask, of which two empty ones mean any interface: `.some(nil)`.
    ///
    /// - Returns: nil for a mask that iptables does not make.
    func interface(_ offset: Int, mask maskOffset: Int, inverted: UInt8) -> InterfaceMatch?? {
        let size = EntryLayout.interfaceSize
        let mask = bytes[start + maskOffset..<start + maskOffset + size]
        let compared = mask.prefix { $0 == 0xff }.count
        guard mask.dropFirst(compared).allSatisfy({ $0 == 0 }) else { return nil }
        let name = text(at: start + offset, size: size)
        let isInverted = inversions & inverted != 0
        if compared == 0, !isInverted, name.isEmpty || name == "+" { return .some(nil) }
        let pattern = compared == name.utf8.count + 1 ? name : String(decoding: name.utf8.prefix(compared), as: UTF8.self) + "+"
        guard compared <= name.utf8.count + 1, let match = try? InterfacePattern(parsing: pattern), match.description == pattern
        else { return nil }
        // An exact name that ends with a plus sign is not what iptables makes of it.
        guard match.isPrefix == (compared <= name.utf8.count) else { return nil }
        return InterfaceMatch(match, isInverted: isInverted)
    }

    // MARK: - Identity

    /// The entry as `KernelRule.Content.entry` has it: without what differs between equal rules.
    ///
    /// - Parameter target: what a standard target leads to, as libiptc names it: a chain, a verdict, or nothing.
    func normalised(target: [UInt8]) -> [UInt8] {
        var entry = Array(bytes[start..<end])
        func zero(_ range: Range<Int>) {
            for index in range { entry[index] = 0 }
        }
        zero(layout.comefrom..<layout.comefrom + 4)
        zero(layout.counters..<layout.counters + 16)
        for part in matches { zeroAfterName(part, &entry) }
        zeroAfterName(self.target, &entry)
        if verdict != nil {
            let header = targetStart - start
            let name = header + EntryLayout.headerName
            zero(name..<name + EntryLayout.nameSize)
            for (index, byte) in target.prefix(EntryLayout.nameSize - 1).enumerated() { entry[name + index] = byte }
            zero(header + EntryLayout.headerSize..<header + EntryLayout.headerSize + MemoryLayout<Int32>.size)
        }
        return entry
    }

    private func zeroAfterName(_ part: Part, _ entry: inout [UInt8]) {
        // In bytes: as a Swift string a name that is not UTF-8 is longer.
        let name = part.header - start + EntryLayout.headerName
        var index = name
        while index < name + EntryLayout.nameSize, entry[index] != 0 { index += 1 }
        while index < name + EntryLayout.nameSize {
            entry[index] = 0
            index += 1
        }
    }
}

extension [UInt8] {
    /// The value at the offset in the machine's byte order; traps outside the array.
    func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        span.bytes.load(type, at: offset)
    }
}

extension RawSpan {
    /// The value at the offset in the machine's byte order; traps outside the bytes.
    func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        unsafeLoadUnaligned(fromByteOffset: offset, as: type)
    }
}

extension NetfilterError {
    /// The error of a table that does not follow the kernel's rules.
    static func malformed(_ what: String, _ offset: Int) -> NetfilterError {
        NetfilterError(.malformed, "malformed table: \(what), at byte \(offset)")
    }
}
