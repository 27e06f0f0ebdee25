// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// Targets, each as the kernel's header of that name describes it.
extension EntryEncoder {
    /// Appends the target.
    mutating func append(_ target: Target) throws(NetfilterError) {
        switch target {
        case .mark(let mark): try append("MARK", revision: 2, xt_mark_tginfo2(mark: mark.value, mask: mark.mask))
        case .connectionMark(let operation): try append(operation)
        case .masquerade(let options): try append("MASQUERADE", to: nil, options)
        case .sourceNAT(let range): try append("SNAT", to: range, range.options)
        // Never a rule of ours.
        case .destinationNAT: throw .noWords("a rule with DNAT is kept as it is in the kernel")
        case .helper(let name):
            guard name.utf8.count < fwmarkd_ct_timeout_offset() - fwmarkd_ct_helper_offset() else {
                throw .noWords("\(printable(name)) is too long for the name of a helper")
            }
            let data = try appendHeader("CT", revision: 2, dataSize: fwmarkd_ct_size())
            put(name, at: data + fwmarkd_ct_helper_offset())
        case .jump(let chain): try append(jumpTo: chain)
        case .goTo(let chain):
            bytes[layout.flags] |= layout.gotoFlag
            try append(jumpTo: chain)
        case .returnToCaller: try append(verdict: "RETURN", EntryLayout.verdictReturn)
        case .accept: try append(verdict: "ACCEPT", EntryLayout.verdictAccept)
        case .drop: try append(verdict: "DROP", EntryLayout.verdictDrop)
        case .queue: try append(verdict: "QUEUE", EntryLayout.verdictQueue)
        case .none: try append(verdict: "", nil)
        case .other(let other): try append(other)
        }
    }

    /// libiptc takes a verdict by its name in the header, and puts the number in when it commits; in the kernel the name is empty.
    /// A rule without a target has no name, and its number leads to the next rule of the table, wherever that is.
    private mutating func append(verdict name: String, _ number: Int32?) throws(NetfilterError) {
        let data = try appendHeader(image == nil ? name : "", revision: 0, dataSize: MemoryLayout<CInt>.size)
        guard image != nil else { return }
        guard let number else { throw .noWords("where the next rule is depends on the place") }
        put(number, at: data)
    }

    /// The same for a chain.
    private mutating func append(jumpTo chain: ChainName) throws(NetfilterError) {
        try put(chain, at: try appendHeader("", revision: 0, dataSize: MemoryLayout<CInt>.size))
    }

    /// Writes where a jump leads, whose data begin at the offset.
    func put(_ chain: ChainName, at data: Int) throws(NetfilterError) {
        guard let image else {
            // The name ends with a NUL.
            let name = data - EntryLayout.headerSize + EntryLayout.headerName
            chain.store(into: UnsafeMutableRawBufferPointer(rebasing: bytes[name..<name + EntryLayout.nameSize - 1]))
            return
        }
        guard let verdict = image.verdict(of: chain) else { throw .noWords("there is no chain \(chain) to jump to") }
        put(verdict, at: data)
    }

    private mutating func append(_ operation: ConnectionMarkOperation) throws(NetfilterError) {
        // struct xt_connmark_tginfo2: u32 ctmark, u32 ctmask, u32 nfmask, u8 shift_dir, u8 shift_bits, u8 mode. iptables has no words
        // for the revision before.
        let data = try appendHeader("CONNMARK", revision: 2, dataSize: MemoryLayout<xt_connmark_tginfo2>.size)
        let (mark, connectionMask, packetMask, mode) =
            switch operation {
            case .set(let value, let mask): (value, mask, UInt32.max, XT_CONNMARK_SET)
            case .save(let connectionMask, let packetMask): (0, connectionMask, packetMask, XT_CONNMARK_SAVE)
            case .restore(let connectionMask, let packetMask): (0, connectionMask, packetMask, XT_CONNMARK_RESTORE)
            }
        put(mark, at: data)
        put(connectionMask, at: data + 4)
        put(packetMask, at: data + 8)
        bytes[data + 14] = UInt8(mode)
    }

    private mutating func append(
        _ name: String, to range: SourceRange?, _ options: TranslationOptions
    ) throws(NetfilterError) {
        let start: Int
        let addressSize = layout.addressSize
        switch layout.family {
        case .ipv4:
            // struct nf_nat_ipv4_multi_range_compat: u32 rangesize, then u32 flags, the first and the last address, ports.
            start = try appendHeader(name, revision: 0, dataSize: MemoryLayout<nf_nat_ipv4_multi_range_compat>.size) + 4
            put(UInt32(1), at: start - 4)
        case .ipv6:
            // struct nf_nat_range: u32 flags, the first and the last address, ports.
            start = try appendHeader(name, revision: range == nil ? 0 : 1, dataSize: MemoryLayout<nf_nat_range>.size)
        }
        var flags: Int32 = 0
        if let range {
            flags |= NF_NAT_RANGE_MAP_IPS
            try put(range.first, at: start + 4)
            try put(range.last, at: start + 4 + addressSize)
        }
        if let ports = options.ports {
            flags |= NF_NAT_RANGE_PROTO_SPECIFIED
            put(ports.lower.bigEndian, at: start + 4 + 2 * addressSize)
            put(ports.upper.bigEndian, at: start + 6 + 2 * addressSize)
        }
        if options.isRandom { flags |= NF_NAT_RANGE_PROTO_RANDOM }
        if options.isFullyRandom { flags |= NF_NAT_RANGE_PROTO_RANDOM_FULLY }
        if options.isPersistent { flags |= NF_NAT_RANGE_PERSISTENT }
        put(flags, at: start)
    }
}
