// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// The matches of entries that `Condition` has words for, each as the kernel's header of that name describes it.
extension EntryDecoder {
    /// What a match asks for.
    func conditions(_ part: EntryReader.Part, _ entry: EntryReader) -> [Condition] {
        ports(part, entry) ?? marks(part, entry) ?? connection(part, entry) ?? addresses(part, entry)
            ?? [.other(ExtensionBytes(name: entry.name(part), revision: entry.revision(part), bytes: Array(entry.data(part))))]
    }

    // MARK: - Ports

    private func ports(_ part: EntryReader.Part, _ entry: EntryReader) -> [Condition]? {
        let bytes = entry.bytes
        if entry.isPart(part, "tcp", revision: 0, size: MemoryLayout<xt_tcp>.size) {
            let match = bytes.load(xt_tcp.self, at: part.data)
            let inverted = Int32(match.invflags)
            guard match.option == 0, inverted & ~(XT_TCP_INV_SRCPT | XT_TCP_INV_DSTPT | XT_TCP_INV_FLAGS) == 0,
                let source = range(.source, match.spts, isInverted: inverted & XT_TCP_INV_SRCPT != 0),
                let destination = range(.destination, match.dpts, isInverted: inverted & XT_TCP_INV_DSTPT != 0)
            else { return nil }
            let isInverted = inverted & XT_TCP_INV_FLAGS != 0
            let asksFlags = match.flg_mask != 0 || match.flg_cmp != 0 || isInverted
            let flags = Condition.tcpFlags(examined: match.flg_mask, set: match.flg_cmp, isInverted: isInverted)
            return source + destination + (asksFlags ? [flags] : [])
        }
        if entry.isPart(part, "udp", revision: 0, size: MemoryLayout<xt_udp>.size) {
            let match = bytes.load(xt_udp.self, at: part.data)
            let inverted = Int32(match.invflags)
            guard inverted & ~(XT_UDP_INV_SRCPT | XT_UDP_INV_DSTPT) == 0,
                let source = range(.source, match.spts, isInverted: inverted & XT_UDP_INV_SRCPT != 0),
                let destination = range(.destination, match.dpts, isInverted: inverted & XT_UDP_INV_DSTPT != 0)
            else { return nil }
            return source + destination
        }
        if entry.isPart(part, "sctp", revision: 0, size: MemoryLayout<xt_sctp_info>.size) {
            return sctp(bytes.load(xt_sctp_info.self, at: part.data))
        }
        if entry.isPart(part, "multiport", revision: 1, size: MemoryLayout<xt_multiport_v1>.size) {
            return multiport(part, entry).map { [.ports($0)] }
        }
        return nil
    }

    private func range(_ side: PortMatch.Side, _ ports: (UInt16, UInt16), isInverted: Bool) -> [Condition]? {
        // A range that runs backwards matches nothing.
        guard ports.0 <= ports.1 else { return nil }
        if ports == (0, 65535), !isInverted { return [] }
        return [.ports(PortMatch(side, [PortRange(ports.0, ports.1)], isInverted: isInverted))]
    }

    private func sctp(_ match: xt_sctp_info) -> [Condition]? {
        let known = UInt32(XT_SCTP_SRC_PORTS | XT_SCTP_DEST_PORTS)
        guard match.flags & ~known == 0, match.invflags & ~match.flags == 0 else { return nil }
        func side(_ side: PortMatch.Side, _ ports: (UInt16, UInt16), _ flag: Int32) -> [Condition]? {
            guard match.flags & UInt32(flag) != 0 else { return [] }
            guard ports.0 <= ports.1 else { return nil }
            let isInverted = match.invflags & UInt32(flag) != 0
            return [.ports(PortMatch(side, [PortRange(ports.0, ports.1)], isInverted: isInverted))]
        }
        guard let source = side(.source, match.spts, XT_SCTP_SRC_PORTS),
            let destination = side(.destination, match.dpts, XT_SCTP_DEST_PORTS)
        else { return nil }
        return source + destination
    }

    private func multiport(_ part: EntryReader.Part, _ entry: EntryReader) -> PortMatch? {
        // struct xt_multiport_v1: u8 flags, u8 count, u16 ports[15], u8 pflags[15], u8 invert.
        let slots = PortMatch.multiportSlots
        let bytes = entry.bytes
        let count = Int(bytes[part.data + 1])
        let ports = part.data + 2
        let continued = ports + 2 * slots
        guard count >= 1, count <= slots else { return nil }
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
        let side: PortMatch.Side
        switch UInt32(bytes[part.data]) {
        case XT_MULTIPORT_SOURCE.rawValue: side = .source
        case XT_MULTIPORT_DESTINATION.rawValue: side = .destination
        case XT_MULTIPORT_EITHER.rawValue: side = .either
        default: return nil
        }
        return PortMatch(side, ranges, isInverted: bytes[continued + slots] != 0, isMultiport: true)
    }

    // MARK: - Marks and connections

    private func marks(_ part: EntryReader.Part, _ entry: EntryReader) -> [Condition]? {
        let isMark = entry.isPart(part, "mark", revision: 1, size: MemoryLayout<xt_mark_mtinfo1>.size)
        guard isMark || entry.isPart(part, "connmark", revision: 1, size: MemoryLayout<xt_connmark_mtinfo1>.size) else {
            return nil
        }
        // Both structures have the same members.
        let info = entry.bytes.load(xt_mark_mtinfo1.self, at: part.data)
        let match = MarkMatch(value: info.mark, mask: info.mask, isInverted: info.invert != 0)
        return [isMark ? .mark(match) : .connectionMark(match)]
    }

    private func connection(_ part: EntryReader.Part, _ entry: EntryReader) -> [Condition]? {
        if entry.isPart(part, "state", revision: 0, size: MemoryLayout<xt_state_info>.size) {
            let mask = entry.bytes.load(xt_state_info.self, at: part.data).statemask
            // XT_STATE_UNTRACKED is another bit than XT_CONNTRACK_STATE_UNTRACKED.
            guard mask & ~0xf == 0 else { return nil }
            return [.connectionState(ConnectionStates(rawValue: UInt16(mask)), isInverted: false)]
        }
        guard entry.hasName(part, "conntrack") else { return nil }
        let sizes = [2: MemoryLayout<xt_conntrack_mtinfo2>.size, 3: MemoryLayout<xt_conntrack_mtinfo3>.size]
        guard let size = sizes[Int(entry.revision(part))], part.dataSize >= size else { return nil }
        let flags = entry.bytes.load(UInt16.self, at: part.data + EntryLayout.conntrackMatchFlags)
        let inverted = entry.bytes.load(UInt16.self, at: part.data + EntryLayout.conntrackInvertFlags)
        let states = entry.bytes.load(UInt16.self, at: part.data + EntryLayout.conntrackStates)
        let state = UInt16(XT_CONNTRACK_STATE)
        guard flags & ~UInt16(XT_CONNTRACK_STATE_ALIAS) == state, inverted & ~state == 0 else { return nil }
        return [.connectionState(ConnectionStates(rawValue: states), isInverted: inverted & state != 0)]
    }

    // MARK: - Addresses

    private func addresses(_ part: EntryReader.Part, _ entry: EntryReader) -> [Condition]? {
        let bytes = entry.bytes
        if entry.isPart(part, "mac", revision: 0, size: MemoryLayout<xt_mac_info>.size) {
            let info = bytes.load(xt_mac_info.self, at: part.data)
            let address = bytes[part.data..<part.data + Int(ETH_ALEN)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return [.mac(MACAddress(bits: address), isInverted: info.invert != 0)]
        }
        let icmp: StaticString = family == .ipv4 ? "icmp" : "icmp6"
        if entry.isPart(part, icmp, revision: 0, size: MemoryLayout<ipt_icmp>.size) {
            // ip6t_icmp has the same members.
            let info = bytes.load(ipt_icmp.self, at: part.data)
            guard info.code.0 <= info.code.1, Int32(info.invflags) & ~IPT_ICMP_INV == 0 else { return nil }
            return [.icmp(type: info.type, codes: info.code.0...info.code.1, isInverted: Int32(info.invflags) & IPT_ICMP_INV != 0)]
        }
        if entry.isPart(part, "addrtype", revision: 1, size: MemoryLayout<xt_addrtype_info_v1>.size) {
            let info = bytes.load(xt_addrtype_info_v1.self, at: part.data)
            let (source, destination) = (UInt32(XT_ADDRTYPE_INVERT_SOURCE), UInt32(XT_ADDRTYPE_INVERT_DEST))
            return [
                .addressType(
                    AddressTypeMatch(
                        source: info.source, destination: info.dest, isSourceInverted: info.flags & source != 0,
                        isDestinationInverted: info.flags & destination != 0, limitFlags: info.flags & ~(source | destination)))
            ]
        }
        if entry.isPart(part, "iprange", revision: 1, size: MemoryLayout<xt_iprange_mtinfo>.size) { return ranges(part, entry) }
        // The head of all revisions but 0 is struct xt_set_info; what later ones ask besides is in the entry.
        if entry.hasName(part, "set"), entry.revision(part) >= 1, part.dataSize >= 4 {
            let flags = bytes[part.data + 3]
            let inverted: UInt8 = 0x04  // IPSET_INV_MATCH, linux/netfilter/ipset/ip_set.h
            return [
                .set(
                    index: bytes.load(UInt16.self, at: part.data), dimensions: bytes[part.data + 2], flags: flags & ~inverted,
                    isInverted: flags & inverted != 0)
            ]
        }
        return nil
    }

    private func ranges(_ part: EntryReader.Part, _ entry: EntryReader) -> [Condition] {
        // struct xt_iprange_mtinfo: four unions of 16 bytes, then u8 flags.
        let flags = Int(entry.bytes[part.data + 64])
        func range(_ side: AddressSide, _ offset: Int, _ flag: Int, _ inverted: Int) -> [Condition] {
            guard flags & flag != 0 else { return [] }
            return [
                .addressRange(
                    side: side, first: entry.address(at: part.data + offset), last: entry.address(at: part.data + offset + 16),
                    isInverted: flags & inverted != 0)
            ]
        }
        return range(.source, 0, IPRANGE_SRC, IPRANGE_SRC_INV)
            + range(.destination, 32, IPRANGE_DST, IPRANGE_DST_INV)
    }
}

extension EntryReader {
    /// The data of a match or a target, as long as its header says.
    func data(_ part: Part) -> ArraySlice<UInt8> { bytes[part.data..<part.data + part.dataSize] }
}
