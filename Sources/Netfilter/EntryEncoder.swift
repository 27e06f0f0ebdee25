import CNetfilter
import Glibc
import Rules

/// Rules as the kernel takes them: an `ipt_entry` or `ip6t_entry`, its matches and its target in one piece.
///
/// The bytes equal those that `iptables-legacy` makes of the rule's text; KernelTests compares them kind by kind. One encoder
/// makes one entry after the other in the same memory.
struct EntryEncoder: ~Copyable {
    private let layout: EntryLayout
    /// In which table a jump's target is to be found; nil: jumps bear the chain's name, as libiptc takes them.
    private let image: TableImage?
    /// The entry, and room behind it. Aligned as an entry must be.
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: EntryEncoder.room, alignment: 16)
    /// How long the entry is.
    private var count = 0

    /// Room for the longest entry of ours: IPv6, sctp, a comment, source translation; no value of a `Rule` is longer than its
    /// place.
    private static let room = 1024

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
        switch rule.content {
        case .rule(let content):
            try encode(content)
            put(rule.counters, at: layout.counters)
            return body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        case .opaque(let content):
            var entry = content.entry
            return entry.withUnsafeMutableBytes { entry in
                entry.storeBytes(of: rule.counters.packets, toByteOffset: layout.counters, as: UInt64.self)
                entry.storeBytes(of: rule.counters.bytes, toByteOffset: layout.counters + 8, as: UInt64.self)
                // An array's storage is aligned to 16 bytes at least, an entry to 8.
                return body(UnsafeRawBufferPointer(entry))
            }
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
            let wanted = bytes.baseAddress, let standing = entries.baseAddress.map({ $0 + start })
        else { return false }
        // All but comefrom and the counters, with which the entry's head ends.
        return memcmp(wanted, standing, layout.comefrom) == 0
            && memcmp(wanted + layout.size, standing + layout.size, count - layout.size) == 0
    }

    // MARK: - The entry itself

    private mutating func encode(_ rule: borrowing Rule) throws(NetfilterError) {
        clear(0..<layout.size)
        count = layout.size
        try put(rule.source, at: layout.source, mask: layout.sourceMask, inverted: EntryLayout.sourceInverted)
        try put(rule.destination, at: layout.destination, mask: layout.destinationMask, inverted: EntryLayout.destinationInverted)
        put(rule.inInterface, at: layout.inInterface, mask: layout.inInterfaceMask)
        put(rule.outInterface, at: layout.outInterface, mask: layout.outInterfaceMask)
        if let transport = rule.transport {
            put(UInt16(transport.transport.number), at: layout.protocolNumber)
            bytes[layout.flags] |= layout.protocolFlag
            try append(transport)
        }
        if let comment = rule.comment {
            guard comment.utf8.count < Int(XT_MAX_COMMENT_LEN) else {
                throw NetfilterError(.unencodable, "the comment \"\(comment)\" is longer than \(XT_MAX_COMMENT_LEN - 1) bytes")
            }
            let data = appendHeader("comment", revision: 0, dataSize: MemoryLayout<xt_comment_info>.size)
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

    private func put(_ interface: InterfacePattern?, at offset: Int, mask: Int) {
        guard let interface else { return }
        // As iptables does: the plus sign stays in the name, and the mask leaves it out; else the mask covers the NUL.
        put(interface.description, at: offset)
        let compared = interface.isPrefix ? interface.name.utf8.count : interface.name.utf8.count + 1
        for index in 0..<compared { bytes[mask + index] = 0xff }
    }

    // MARK: - Matches

    private mutating func append(_ transport: TransportMatch) throws(NetfilterError) {
        switch transport.ports {
        case .any: return
        case .source(let range): append(transport.transport, source: range, destination: .all)
        case .destination(let range): append(transport.transport, source: .all, destination: range)
        case .sources(let ranges): try append(multiport: ranges, XT_MULTIPORT_SOURCE)
        case .destinations(let ranges): try append(multiport: ranges, XT_MULTIPORT_DESTINATION)
        }
    }

    private mutating func append(_ transport: TransportProtocol, source: PortRange, destination: PortRange) {
        switch transport {
        case .tcp:
            var match = xt_tcp()
            match.spts = (source.lower, source.upper)
            match.dpts = (destination.lower, destination.upper)
            appendMatch("tcp", match)
        case .udp:
            // Member by member: the structure ends with a byte of padding, which a copy of it would leave to chance.
            let start = appendHeader("udp", revision: 0, dataSize: MemoryLayout<xt_udp>.size)
            put(source, at: start + EntryLayout.udpSource)
            put(destination, at: start + EntryLayout.udpDestination)
        case .sctp:
            // Unlike the two others, sctp compares only what its flags name. iptables leaves the rest zero, but for the
            // types of chunks whose flags it would compare: none, written as 0xff.
            var match = xt_sctp_info()
            withUnsafeMutableBytes(of: &match.flag_info) { info in
                for index in stride(from: 0, to: info.count, by: MemoryLayout<xt_sctp_flag_info>.stride) { info[index] = 0xff }
            }
            if source != .all {
                match.spts = (source.lower, source.upper)
                match.flags |= UInt32(XT_SCTP_SRC_PORTS)
            }
            if destination != .all {
                match.dpts = (destination.lower, destination.upper)
                match.flags |= UInt32(XT_SCTP_DEST_PORTS)
            }
            appendMatch("sctp", match)
        }
    }

    private mutating func append(multiport ranges: [PortRange], _ side: xt_multiport_flags) throws(NetfilterError) {
        guard ranges.reduce(0, { $0 + TransportMatch.slots(of: $1) }) <= TransportMatch.multiportSlots, !ranges.isEmpty else {
            throw NetfilterError(
                .unencodable, "a multiport match has \(TransportMatch.multiportSlots) slots; these ports take more")
        }
        let data = appendHeader("multiport", revision: 1, dataSize: MemoryLayout<xt_multiport_v1>.size)
        // struct xt_multiport_v1: u8 flags, u8 count, u16 ports[15], u8 pflags[15], u8 invert.
        let ports = data + 2
        let continued = ports + 2 * TransportMatch.multiportSlots
        bytes[data] = UInt8(side.rawValue)
        var slot = 0
        for range in ranges {
            put(range.lower, at: ports + 2 * slot)
            if range.lower != range.upper {
                bytes[continued + slot] = 1
                slot += 1
                put(range.upper, at: ports + 2 * slot)
            }
            slot += 1
        }
        bytes[data + 1] = UInt8(slot)
    }

    // MARK: - Targets

    private mutating func append(_ target: Target) throws(NetfilterError) {
        switch target {
        case .mark(let mark):
            appendMatch("MARK", xt_mark_tginfo2(mark: mark.value, mask: mark.mask), revision: 2)
        case .masquerade:
            try appendTranslation("MASQUERADE", to: nil)
        case .sourceNAT(let address):
            try appendTranslation("SNAT", to: address)
        case .jump(let chain):
            try append(jumpTo: chain)
        case .goTo(let chain):
            bytes[layout.flags] |= layout.gotoFlag
            try append(jumpTo: chain)
        case .returnToCaller: append(verdict: "RETURN", EntryLayout.verdictReturn)
        case .accept: append(verdict: "ACCEPT", EntryLayout.verdictAccept)
        case .drop: append(verdict: "DROP", EntryLayout.verdictDrop)
        }
    }

    private mutating func append(jumpTo chain: ChainName) throws(NetfilterError) {
        guard let image else { return append(verdict: chain.text, 0) }
        guard let verdict = image.verdict(of: chain) else {
            throw NetfilterError(.unencodable, "there is no chain \(chain) to jump to")
        }
        append(verdict: chain.text, verdict)
    }

    /// libiptc takes a verdict or a chain by its name in the header, and puts the number in when it commits; in the kernel the
    /// name is empty.
    private mutating func append(verdict name: String, _ number: Int32) {
        let data = appendHeader(image == nil ? name : "", revision: 0, dataSize: MemoryLayout<CInt>.size)
        if image != nil { put(number, at: data) }
    }

    private mutating func appendTranslation(_ name: String, to address: Address?) throws(NetfilterError) {
        switch layout.family {
        case .ipv4:
            // struct nf_nat_ipv4_multi_range_compat: u32 rangesize, then u32 flags, the first and the last address, ports.
            let data = appendHeader(name, revision: 0, dataSize: MemoryLayout<nf_nat_ipv4_multi_range_compat>.size)
            put(UInt32(1), at: data)
            if let address {
                put(UInt32(NF_NAT_RANGE_MAP_IPS), at: data + 4)
                try put(address, at: data + 8)
                try put(address, at: data + 12)
            }
        case .ipv6:
            // struct nf_nat_range: u32 flags, the first and the last address, ports.
            let data = appendHeader(name, revision: address == nil ? 0 : 1, dataSize: MemoryLayout<nf_nat_range>.size)
            if let address {
                put(UInt32(NF_NAT_RANGE_MAP_IPS), at: data)
                try put(address, at: data + 4)
                try put(address, at: data + 20)
            }
        }
    }

    // MARK: - Bytes

    /// Appends a match or a target of the data, whose structure is plain memory without padding.
    private mutating func appendMatch<Data: BitwiseCopyable>(_ name: String, _ data: Data, revision: UInt8 = 0) {
        let start = appendHeader(name, revision: revision, dataSize: MemoryLayout<Data>.size)
        put(data, at: start)
    }

    /// Appends a header and room for its data; returns where the data begin.
    private mutating func appendHeader(_ name: String, revision: UInt8, dataSize: Int) -> Int {
        let start = count
        let size = EntryLayout.headerSize + fwmarkd_xt_align(dataSize)
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

    private func put(_ counters: Counters, at offset: Int) {
        put(counters.packets, at: offset)
        put(counters.bytes, at: offset + 8)
    }

    private func put(_ address: Address, at offset: Int) throws(NetfilterError) {
        guard address.family == layout.family else {
            throw NetfilterError(.unencodable, "the address \(address) does not belong into an \(layout.family) table")
        }
        put(addressBits: address.bits, at: offset)
    }

    private func put(addressBits bits: UInt128, at offset: Int) {
        if layout.family == .ipv4 {
            put(UInt32(truncatingIfNeeded: bits).bigEndian, at: offset)
        } else {
            put(bits.bigEndian, at: offset)
        }
    }

    private func put(_ range: PortRange, at offset: Int) {
        put(range.lower, at: offset)
        put(range.upper, at: offset + MemoryLayout<UInt16>.size)
    }

    private func put(_ text: String, at offset: Int) {
        var text = text
        text.withUTF8 { text in
            UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + text.count]).copyMemory(
                from: UnsafeRawBufferPointer(text))
        }
    }

    private func put<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        bytes.storeBytes(of: value, toByteOffset: offset, as: Value.self)
    }
}
