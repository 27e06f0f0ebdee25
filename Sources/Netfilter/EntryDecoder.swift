import CNetfilter
import Rules

/// Entries as rules: what `Rules.Rule` has words for becomes one; anything else is kept as it is.
struct EntryDecoder {
    let family: Family
    /// The chain that begins at an offset from the table's start.
    let chain: (Int32) -> ChainName?

    /// The rule in the entry.
    func decode(_ entry: EntryReader) -> KernelRule {
        let content = rule(entry).map { KernelRule.Content.rule($0) } ?? .opaque(opaque(entry))
        return KernelRule(content, counters: entry.counters)
    }

    // MARK: - What we have words for

    private func rule(_ entry: EntryReader) -> Rule? {
        let layout = entry.layout
        let known = EntryLayout.sourceInverted | EntryLayout.destinationInverted
        guard entry.inversions & ~known == 0, let target = target(entry),
            let source = entry.addressMatch(layout.source, mask: layout.sourceMask, inverted: EntryLayout.sourceInverted),
            let destination = entry.addressMatch(
                layout.destination, mask: layout.destinationMask, inverted: EntryLayout.destinationInverted),
            let inInterface = entry.interface(layout.inInterface, mask: layout.inInterfaceMask),
            let outInterface = entry.interface(layout.outInterface, mask: layout.outInterfaceMask),
            let matches = matches(entry)
        else { return nil }
        return Rule(
            source: source, destination: destination, inInterface: inInterface, outInterface: outInterface,
            transport: matches.transport, comment: matches.comment, target: target)
    }

    private func matches(_ entry: EntryReader) -> (transport: TransportMatch?, comment: String?)? {
        var transport: TransportProtocol?
        let number = entry.protocolNumber
        // IPv6 entries say in a flag whether the protocol counts.
        let comparesProtocol = entry.layout.protocolFlag == 0 ? number != 0 : entry.flags & entry.layout.protocolFlag != 0
        if comparesProtocol {
            guard let named = UInt8(exactly: number).flatMap(TransportProtocol.init(number:)) else { return nil }
            transport = named
        } else if number != 0 {
            return nil
        }
        guard entry.flags & ~(entry.layout.protocolFlag | entry.layout.gotoFlag) == 0 else { return nil }

        // Ports before the comment, as we write them: a rule in the other order is shown in another way.
        var ports: TransportMatch.Ports?
        var comment: String?
        for part in entry.matches {
            if entry.isPart(part, "comment", revision: 0, size: Int(XT_MAX_COMMENT_LEN)), comment == nil {
                comment = entry.text(at: part.data, size: Int(XT_MAX_COMMENT_LEN))
            } else if let transport, ports == nil, comment == nil, let found = self.ports(part, of: transport, entry) {
                ports = found
            } else {
                return nil
            }
        }
        return (transport.map { TransportMatch($0, ports ?? .any) }, comment)
    }

    private func ports(_ part: EntryReader.Part, of transport: TransportProtocol, _ entry: EntryReader) -> TransportMatch.Ports? {
        if entry.isPart(part, "multiport", revision: 1, size: MemoryLayout<xt_multiport_v1>.size) {
            return multiport(part, entry)
        }
        let source: PortRange
        let destination: PortRange
        switch transport {
        case .tcp:
            guard entry.isPart(part, "tcp", revision: 0, size: MemoryLayout<xt_tcp>.size) else { return nil }
            let match = entry.bytes.load(xt_tcp.self, at: part.data)
            guard match.option == 0, match.flg_mask == 0, match.flg_cmp == 0, match.invflags == 0,
                match.spts.0 <= match.spts.1, match.dpts.0 <= match.dpts.1
            else { return nil }
            (source, destination) = (PortRange(match.spts.0, match.spts.1), PortRange(match.dpts.0, match.dpts.1))
        case .udp:
            guard entry.isPart(part, "udp", revision: 0, size: MemoryLayout<xt_udp>.size) else { return nil }
            let match = entry.bytes.load(xt_udp.self, at: part.data)
            guard match.invflags == 0, match.spts.0 <= match.spts.1, match.dpts.0 <= match.dpts.1 else { return nil }
            (source, destination) = (PortRange(match.spts.0, match.spts.1), PortRange(match.dpts.0, match.dpts.1))
        case .sctp:
            guard entry.isPart(part, "sctp", revision: 0, size: MemoryLayout<xt_sctp_info>.size) else { return nil }
            let match = entry.bytes.load(xt_sctp_info.self, at: part.data)
            let known = UInt32(XT_SCTP_SRC_PORTS | XT_SCTP_DEST_PORTS)
            guard match.flags & ~known == 0, match.invflags == 0, match.spts.0 <= match.spts.1, match.dpts.0 <= match.dpts.1 else {
                return nil
            }
            source = match.flags & UInt32(XT_SCTP_SRC_PORTS) != 0 ? PortRange(match.spts.0, match.spts.1) : .all
            destination = match.flags & UInt32(XT_SCTP_DEST_PORTS) != 0 ? PortRange(match.dpts.0, match.dpts.1) : .all
        }
        switch (source == .all, destination == .all) {
        case (false, true): return .source(source)
        case (true, false): return .destination(destination)
        default: return nil
        }
    }

    private func multiport(_ part: EntryReader.Part, _ entry: EntryReader) -> TransportMatch.Ports? {
        // struct xt_multiport_v1: u8 flags, u8 count, u16 ports[15], u8 pflags[15], u8 invert.
        let slots = TransportMatch.multiportSlots
        let bytes = entry.bytes
        let side = UInt32(bytes[part.data])
        let count = Int(bytes[part.data + 1])
        let ports = part.data + 2
        let continued = ports + 2 * slots
        guard count >= 1, count <= slots, bytes[continued + slots] == 0 else { return nil }
        var ranges: [PortRange] = []
        var slot = 0
        while slot < count {
            let lower = bytes.load(UInt16.self, at: ports + 2 * slot)
            var upper = lower
            if bytes[continued + slot] != 0 {
                slot += 1
                guard slot < count else { return nil }
                upper = bytes.load(UInt16.self, at: ports + 2 * slot)
            }
            guard lower <= upper else { return nil }
            ranges.append(PortRange(lower, upper))
            slot += 1
        }
        switch side {
        case XT_MULTIPORT_SOURCE.rawValue: return .sources(ranges)
        case XT_MULTIPORT_DESTINATION.rawValue: return .destinations(ranges)
        default: return nil
        }
    }

    private func target(_ entry: EntryReader) -> Target? {
        let isGoto = entry.flags & entry.layout.gotoFlag != 0
        if let verdict = entry.verdict {
            if verdict >= 0 {
                return chain(verdict).map { isGoto ? .goTo($0) : .jump($0) }
            }
            guard !isGoto else { return nil }
            switch verdict {
            case EntryLayout.verdictAccept: return .accept
            case EntryLayout.verdictDrop: return .drop
            case EntryLayout.verdictReturn: return .returnToCaller
            default: return nil
            }
        }
        guard !isGoto else { return nil }
        let part = entry.target
        if entry.isPart(part, "MARK", revision: 2, size: MemoryLayout<xt_mark_tginfo2>.size) {
            let info = entry.bytes.load(xt_mark_tginfo2.self, at: part.data)
            return (try? Mark(info.mark, mask: info.mask)).map { .mark($0) }
        }
        return translation(part, entry)
    }

    private func translation(_ part: EntryReader.Part, _ entry: EntryReader) -> Target? {
        // See EntryEncoder.appendTranslation for the two structures.
        let start: Int
        let (addressSize, size): (Int, Int)
        switch family {
        case .ipv4:
            size = MemoryLayout<nf_nat_ipv4_multi_range_compat>.size
            guard part.dataSize >= size, entry.bytes.load(UInt32.self, at: part.data) == 1 else { return nil }
            (start, addressSize) = (part.data + 4, 4)
        case .ipv6:
            size = MemoryLayout<nf_nat_range>.size
            (start, addressSize) = (part.data, 16)
        }
        let isMasquerade = entry.isPart(part, "MASQUERADE", revision: 0, size: size)
        guard isMasquerade || entry.isPart(part, "SNAT", revision: family == .ipv4 ? 0 : 1, size: size) else { return nil }
        let flags = entry.bytes.load(UInt32.self, at: start)
        let first = start + 4
        let ports = first + 2 * addressSize
        guard entry.bytes.load(UInt32.self, at: ports) == 0 else { return nil }
        if isMasquerade { return flags == 0 ? .masquerade : nil }
        let lower = entry.address(at: first)
        guard flags == UInt32(NF_NAT_RANGE_MAP_IPS), lower == entry.address(at: first + addressSize) else { return nil }
        return .sourceNAT(lower)
    }

    // MARK: - What we have no words for

    private func opaque(_ entry: EntryReader) -> OpaqueRule {
        var bytes = Array(entry.bytes[entry.start..<entry.end])
        func zero(_ range: Range<Int>) {
            for index in range { bytes[index] = 0 }
        }
        zero(entry.layout.comefrom..<entry.layout.comefrom + 4)
        zero(entry.layout.counters..<entry.layout.counters + 16)
        for part in Array(entry.matches) + [entry.target] {
            // In bytes: as a Swift string a name that is not UTF-8 is longer.
            let name = part.header - entry.start + EntryLayout.headerName
            let field = name..<name + EntryLayout.nameSize
            zero(name + bytes[field].prefix { $0 != 0 }.count..<field.upperBound)
        }
        let chain = entry.verdict.flatMap { $0 >= 0 ? self.chain($0) : nil }
        if let verdict = entry.verdict {
            let target = entry.target.header - entry.start
            let name = verdictName(verdict) ?? chain?.text ?? ""
            for (index, byte) in name.utf8.prefix(EntryLayout.nameSize - 1).enumerated() {
                bytes[target + EntryLayout.headerName + index] = byte
            }
            zero(target + EntryLayout.headerSize..<target + EntryLayout.headerSize + 4)
        }
        return OpaqueRule(
            entry: bytes, matches: entry.matches.map(entry.name), target: entry.name(entry.target), chain: chain,
            comment: entry.comment)
    }

    /// A verdict's name as libiptc takes it; nil for an offset. A rule without any target "jumps" to the next one and has none.
    private func verdictName(_ verdict: Int32) -> String? {
        switch verdict {
        case EntryLayout.verdictAccept: "ACCEPT"
        case EntryLayout.verdictDrop: "DROP"
        case EntryLayout.verdictQueue: "QUEUE"
        case EntryLayout.verdictReturn: "RETURN"
        default: nil
        }
    }
}
