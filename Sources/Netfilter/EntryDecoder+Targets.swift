// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// Targets with options that there are words for.
extension EntryDecoder {
    func connectionMark(_ part: EntryReader.Part, _ entry: EntryReader) -> Target? {
        guard entry.hasName(part, "CONNMARK"), part.dataSize >= MemoryLayout<xt_connmark_tginfo1>.size else { return nil }
        let info = entry.bytes.load(xt_connmark_tginfo1.self, at: part.data)
        let mode: UInt8
        switch entry.revision(part) {
        case 1: mode = info.mode
        case 2:
            let shifted = entry.bytes.load(xt_connmark_tginfo2.self, at: part.data)
            guard shifted.shift_bits == 0 else { return nil }
            mode = shifted.mode
        default: return nil
        }
        switch Int(mode) {
        case XT_CONNMARK_SET: return .connectionMark(.set(value: info.ctmark, mask: info.ctmask))
        case XT_CONNMARK_SAVE: return .connectionMark(.save(connectionMask: info.ctmask, packetMask: info.nfmask))
        case XT_CONNMARK_RESTORE: return .connectionMark(.restore(connectionMask: info.ctmask, packetMask: info.nfmask))
        default: return nil
        }
    }

    func helper(_ part: EntryReader.Part, _ entry: EntryReader) -> Target? {
        guard entry.hasName(part, "CT"), entry.revision(part) == 1 || entry.revision(part) == 2, part.dataSize >= fwmarkd_ct_size()
        else { return nil }
        // Flags, zone and events before the helper's name; no policy for timeouts after it.
        let data = entry.data(part)
        let helper = data.startIndex + fwmarkd_ct_helper_offset()
        let timeout = data.startIndex + fwmarkd_ct_timeout_offset()
        guard data[..<helper].allSatisfy({ $0 == 0 }), data[timeout] == 0, data[helper] != 0 else { return nil }
        return .helper(entry.text(at: helper, size: timeout - helper))
    }

    func translation(_ part: EntryReader.Part, _ entry: EntryReader) -> Target? {
        // See EntryEncoder for the two structures.
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
        guard isMasquerade || entry.isPart(part, "SNAT", revision: family == .ipv4 ? 0 : 1, size: size),
            let (flags, options) = options(entry, at: start, addressSize)
        else { return nil }
        guard (flags & NF_NAT_RANGE_MAP_IPS != 0) != isMasquerade else { return nil }
        if isMasquerade { return .masquerade(options) }
        let (first, last) = (entry.address(at: start + 4), entry.address(at: start + 4 + addressSize))
        return first <= last ? .sourceNAT(SourceRange(first, last, options: options)) : nil
    }

    /// `DNAT` in each of its revisions; the range of ports with a base is left as bytes.
    func destinationTranslation(_ part: EntryReader.Part, _ entry: EntryReader) -> Target? {
        guard entry.hasName(part, "DNAT") else { return nil }
        let start: Int
        let addressSize: Int
        switch (family, entry.revision(part)) {
        case (.ipv4, 0):
            guard part.dataSize >= MemoryLayout<nf_nat_ipv4_multi_range_compat>.size,
                entry.bytes.load(UInt32.self, at: part.data) == 1
            else { return nil }
            (start, addressSize) = (part.data + 4, 4)
        case (.ipv6, 1), (_, 2):
            // Addresses are as long as those of IPv6 for both families (`union nf_inet_addr`).
            let size = entry.revision(part) == 1 ? MemoryLayout<nf_nat_range>.size : MemoryLayout<nf_nat_range2>.size
            guard part.dataSize >= size else { return nil }
            (start, addressSize) = (part.data, 16)
        default: return nil
        }
        guard let (flags, options) = options(entry, at: start, addressSize) else { return nil }
        guard flags & NF_NAT_RANGE_MAP_IPS != 0 else { return .destinationNAT(DestinationRange(nil, options: options)) }
        let (first, last) = (entry.address(at: start + 4), entry.address(at: start + 4 + addressSize))
        return first <= last ? .destinationNAT(DestinationRange(first, last, options: options)) : nil
    }

    /// Flags and ports of a range, with addresses of this size between them; nil where there is more than there are words for.
    private func options(
        _ entry: EntryReader, at start: Int, _ addressSize: Int
    ) -> (flags: Int32, options: TranslationOptions)? {
        let flags = Int32(bitPattern: entry.bytes.load(UInt32.self, at: start))
        let ports = start + 4 + 2 * addressSize
        let lower = UInt16(bigEndian: entry.bytes.load(UInt16.self, at: ports))
        let upper = UInt16(bigEndian: entry.bytes.load(UInt16.self, at: ports + 2))
        var options = TranslationOptions(
            isRandom: flags & NF_NAT_RANGE_PROTO_RANDOM != 0, isFullyRandom: flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY != 0,
            isPersistent: flags & NF_NAT_RANGE_PERSISTENT != 0)
        if flags & NF_NAT_RANGE_PROTO_SPECIFIED != 0 {
            guard lower <= upper else { return nil }
            options.ports = PortRange(lower, upper)
        }
        let known =
            NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PROTO_RANDOM_FULLY | NF_NAT_RANGE_PERSISTENT | NF_NAT_RANGE_PROTO_SPECIFIED
            | NF_NAT_RANGE_MAP_IPS
        return flags & ~known == 0 ? (flags, options) : nil
    }
}
