internal import CNetfilter
internal import Rules

/// Rules as the kernel takes them: an `ipt_entry` or `ip6t_entry`, its matches and its target in one piece.
///
/// The bytes equal those that `iptables-legacy` makes of the rule's text; KernelTests compares them kind by kind.
struct EntryEncoder {
    private let layout: EntryLayout
    private var bytes: [UInt8]

    /// The entry of what a rule says, with the given counters in it.
    ///
    /// - Throws: `unencodable` for a value that the kernel's structures have no room for, or of the other family.
    static func encode(_ rule: KernelRule, _ family: Family) throws(NetfilterError) -> [UInt8] {
        let layout = EntryLayout.of(family)
        switch rule.content {
        case .rule(let content):
            var encoder = EntryEncoder(layout: layout, bytes: [UInt8](repeating: 0, count: layout.size))
            encoder.bytes.reserveCapacity(layout.size + 192)
            try encoder.encode(content)
            encoder.put(rule.counters.packets, at: layout.counters)
            encoder.put(rule.counters.bytes, at: layout.counters + 8)
            return encoder.bytes
        case .opaque(let content):
            var encoder = EntryEncoder(layout: layout, bytes: content.entry)
            encoder.put(rule.counters.packets, at: layout.counters)
            encoder.put(rule.counters.bytes, at: layout.counters + 8)
            return encoder.bytes
        }
    }

    /// The matches and targets that the rule needs of the kernel.
    static func extensions(of rule: Rule, _ family: Family) -> [Extension] {
        var result: [Extension] = []
        switch rule.transport?.ports {
        case .source, .destination:
            result.append(Extension(kind: .match, name: rule.transport?.transport.rawValue ?? "", revision: 0))
        case .sources, .destinations: result.append(Extension(kind: .match, name: "multiport", revision: 1))
        case .any, nil: break
        }
        if rule.comment != nil { result.append(Extension(kind: .match, name: "comment", revision: 0)) }
        switch rule.target {
        case .mark: result.append(Extension(kind: .target, name: "MARK", revision: 2))
        case .masquerade: result.append(Extension(kind: .target, name: "MASQUERADE", revision: 0))
        case .sourceNAT: result.append(Extension(kind: .target, name: "SNAT", revision: family == .ipv4 ? 0 : 1))
        case .jump, .goTo, .returnToCaller, .accept, .drop: break
        }
        return result
    }

    // MARK: - The entry itself

    private mutating func encode(_ rule: Rule) throws(NetfilterError) {
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
        put(UInt16(bytes.count), at: layout.targetOffset)
        try append(rule.target)
        put(UInt16(bytes.count), at: layout.nextOffset)
    }

    private mutating func put(_ match: AddressMatch?, at offset: Int, mask: Int, inverted: UInt8) throws(NetfilterError) {
        guard let match else { return }
        try put(match.prefix.address, at: offset)
        put(addressBits: match.prefix.mask, at: mask)
        if match.isInverted { bytes[layout.inversions] |= inverted }
    }

    private mutating func put(_ interface: InterfacePattern?, at offset: Int, mask: Int) {
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
            appendStandard(chain.text)
        case .goTo(let chain):
            bytes[layout.flags] |= layout.gotoFlag
            appendStandard(chain.text)
        case .returnToCaller: appendStandard("RETURN")
        case .accept: appendStandard("ACCEPT")
        case .drop: appendStandard("DROP")
        }
    }

    /// libiptc takes a verdict or a chain by its name in the header, and puts the number in when it commits.
    private mutating func appendStandard(_ name: String) {
        _ = appendHeader(name, revision: 0, dataSize: MemoryLayout<CInt>.size)
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
        let start = bytes.count
        let size = EntryLayout.headerSize + fwmarkd_xt_align(dataSize)
        bytes.append(contentsOf: repeatElement(0, count: size))
        put(UInt16(size), at: start)
        put(name, at: start + EntryLayout.headerName)
        bytes[start + EntryLayout.headerRevision] = revision
        return start + EntryLayout.headerSize
    }

    private mutating func put(_ address: Address, at offset: Int) throws(NetfilterError) {
        guard address.family == layout.family else {
            throw NetfilterError(.unencodable, "the address \(address) does not belong into an \(layout.family) table")
        }
        put(addressBits: address.bits, at: offset)
    }

    private mutating func put(addressBits bits: UInt128, at offset: Int) {
        if layout.family == .ipv4 {
            put(UInt32(truncatingIfNeeded: bits).bigEndian, at: offset)
        } else {
            put(bits.bigEndian, at: offset)
        }
    }

    private mutating func put(_ range: PortRange, at offset: Int) {
        put(range.lower, at: offset)
        put(range.upper, at: offset + MemoryLayout<UInt16>.size)
    }

    private mutating func put(_ text: String, at offset: Int) {
        var index = offset
        for byte in text.utf8 {
            bytes[index] = byte
            index += 1
        }
    }

    private mutating func put<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: Value.self) }
    }
}
